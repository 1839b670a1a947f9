// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/names.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/sha256.h"
#include "proto/attempt.pb.h"
#include "proto/outcome.pb.h"

namespace ktstr::results {
namespace {

std::string OrUnknown(std::string name, int number) {
  return name.empty() ? absl::StrCat("UNKNOWN_", number) : name;
}

// Length first, so that no two lists of fields read alike.
void AppendField(absl::string_view field, std::string& out) {
  absl::StrAppend(&out, field.size(), ":", field, ";");
}

// Adds nothing for a scheduler that asks for nothing.
void AppendSetup(const v1::SchedulerSetup& setup, std::string& out) {
  for (const std::string& word : setup.kargs()) AppendField(word, out);
  for (const v1::Sysctl& sysctl : setup.sysctls()) {
    AppendField(absl::StrCat("sysctl ", sysctl.key()), out);
    AppendField(sysctl.value(), out);
  }
  if (setup.has_watchdog_timeout()) {
    AppendField(absl::StrCat("watchdog ", setup.watchdog_timeout().seconds(),
                             ".", setup.watchdog_timeout().nanos()),
                out);
  }
  for (const auto* writes : {&setup.enable(), &setup.disable()}) {
    for (const v1::FileWrite& write : *writes) {
      AppendField(absl::StrCat("file ", write.path()), out);
      AppendField(write.value(), out);
    }
  }
}

}  // namespace

std::string OutcomeName(int outcome) {
  return OrUnknown(v1::Outcome_Name(outcome), outcome);
}

std::string FindingKindName(int kind) {
  return OrUnknown(v1::FindingKind_Name(kind), kind);
}

std::string PolarityName(int polarity) {
  std::string name = OrUnknown(v1::Polarity_Name(polarity), polarity);
  return std::string(absl::StripPrefix(name, "POLARITY_"));
}

std::string SchedulerExitName(int kind) {
  std::string name = OrUnknown(v1::SchedulerExitKind_Name(kind), kind);
  return std::string(absl::StripPrefix(name, "EXIT_"));
}

std::string PhaseName(int phase) {
  return OrUnknown(v1::Phase_Name(phase), phase);
}

std::string PhaseWords(int phase) {
  if (phase == v1::PHASE_UNSPECIFIED) return "not started";
  return absl::AsciiStrToLower(
      absl::StrReplaceAll(PhaseName(phase), {{"_", " "}}));
}

std::string BootStepWords(absl::string_view name) {
  constexpr std::pair<absl::string_view, absl::string_view> kWords[] = {
      {"start", "process start"},
      {"slots", "memory slots"},
      {"vcpus", "vCPUs created"},
      {"loaded", "kernel and initramfs in memory"},
      {"entry", "first entry"},
      {"kernel-log", "kernel's first line"},
      {"first-io", "first device access"},
      {"cpus-up", "all CPUs up"},
      {"unpack", "kernel unpacks the initramfs"},
      {"console", "first byte on the console"},
      {"run-init", "kernel starts init"},
      {"init", "init runs"},
      {"vsock-connect", "guest calls the host"},
      {"hello", "hello accepted"},
  };
  for (const auto& [known, words] : kWords) {
    if (known == name) return std::string(words);
  }
  return std::string(name);
}

std::string FileNamePart(absl::string_view text) {
  constexpr size_t kMaxBytes = 120;
  std::string part;
  for (char c : text.substr(0, kMaxBytes)) {
    bool is_plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    c == '.' || c == '_' || c == '-';
    part.push_back(is_plain ? c : '_');
  }
  if (part.empty()) return "_";
  if (part[0] == '.') part[0] = '_';
  return part;
}

std::string VariantHash(const v1::VariantSpec& variant) {
  std::string text;
  AppendField(variant.name(), text);
  AppendField(variant.suite().name(), text);
  AppendField(variant.topology(), text);
  AppendField(variant.scheduler().name(), text);
  AppendField(absl::StrCat(variant.scheduler().args_size()), text);
  for (const std::string& arg : variant.scheduler().args()) {
    AppendField(arg, text);
  }
  for (const std::string& flag : variant.flags()) AppendField(flag, text);
  AppendSetup(variant.scheduler().setup(), text);
  AppendField(variant.kernel().label(), text);
  return Sha256Hex(text).substr(0, 16);
}

}  // namespace ktstr::results
