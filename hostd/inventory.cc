// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/inventory.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "hostd/text.h"
#include "nlohmann/json.hpp"

namespace ktstr::hostd {
namespace {

constexpr absl::Duration kProbeTimeout = absl::Seconds(20);
// Hardware runs kernel mode at hundreds of millions of instructions a second;
// interpreters stay far below this.
constexpr double kSlowestHardwareMips = 100;

// The value behind "NAME<spaces>:" in a line-oriented /proc file.
absl::string_view ValueOf(absl::string_view text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    size_t colon = line.find(':');
    if (colon == line.npos) continue;
    if (absl::StripAsciiWhitespace(line.substr(0, colon)) == name) {
      return absl::StripAsciiWhitespace(line.substr(colon + 1));
    }
  }
  return "";
}

ProbeReport NotUsable(std::string reason, std::string advice) {
  ProbeReport report;
  report.reason = std::move(reason);
  report.advice = std::move(advice);
  return report;
}

}  // namespace

absl::StatusOr<ProbeReport> ParseProbeReport(absl::string_view json) {
  auto object = nlohmann::json::parse(json.begin(), json.end(), nullptr,
                                      /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError("probe report is no JSON object");
  }
  auto usable = object.find("usable");
  if (usable == object.end() || !usable->is_boolean()) {
    return absl::InvalidArgumentError(
        "probe report without the boolean \"usable\"");
  }
  ProbeReport report;
  report.usable = usable->get<bool>();
  auto number = [&object](const char* key, double absent) {
    auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>()
                                                       : absent;
  };
  auto text = [&object](const char* key) {
    auto found = object.find(key);
    return found != object.end() && found->is_string()
               ? PrintableText(found->get<std::string>(), 512)
               : std::string();
  };
  auto small = [&number](const char* key, int absent) {
    return static_cast<int>(std::clamp(number(key, absent), -1.0, 1e6));
  };
  report.api = small("api", 0);
  report.kernel_mode_mips = std::max(0.0, number("kernel_mode_mips", 0));
  report.syscall_cpl = small("syscall_cpl", -1);
  report.reason = text("reason");
  report.advice = text("advice");
  return report;
}

ProbeReport ProbeVmm(const std::string& vmm_program) {
  auto output = RunCommand({.argv = {vmm_program, "--probe"}}, kProbeTimeout,
                           /*max_bytes=*/1 << 20);
  if (!output.ok()) {
    return NotUsable(
        absl::StrCat("vmm --probe failed: ", output.status().message()),
        "check that vmm lies beside hostd or in --libexec");
  }
  auto report = ParseProbeReport(output->out);
  if (!report.ok()) {
    return NotUsable(
        absl::StrCat("vmm --probe (", output->exit.ToString(),
                     ") gave no report: ", report.status().message()),
        PrintableText(output->err, 512));
  }
  return *report;
}

std::string ParseCpuModel(absl::string_view cpuinfo) {
  return PrintableText(ValueOf(cpuinfo, "model name"), 128);
}

int64_t ParseAvailableMib(absl::string_view meminfo) {
  std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(ValueOf(meminfo, "MemAvailable"), absl::MaxSplits(' ', 1));
  int64_t kib = 0;
  return absl::SimpleAtoi(parts.first, &kib) ? kib / 1024 : 0;
}

std::string HostClass(absl::string_view cpu_model, double kernel_mode_mips) {
  bool is_tcg = absl::StrContains(cpu_model, "TCG") ||
                absl::StartsWith(cpu_model, "QEMU Virtual CPU");
  bool is_slow =
      kernel_mode_mips > 0 && kernel_mode_mips < kSlowestHardwareMips;
  return is_tcg || is_slow ? "emulated" : "direct";
}

std::string UnusableReason(const ProbeReport& probe) {
  if (probe.usable) return "";
  std::string reason = probe.reason.empty() ? "KVM is not usable here (no "
                                              "reason given by vmm --probe)"
                                            : probe.reason;
  return probe.advice.empty() ? reason
                              : absl::StrCat(reason, "; ", probe.advice);
}

ktstr::v1::HostContext ReadHostContext(const std::string& host_id,
                                       const ProbeReport& probe) {
  ktstr::v1::HostContext context;
  context.set_host_id(host_id);
  auto cpuinfo = ReadFile("/proc/cpuinfo", /*max_bytes=*/16 << 20);
  if (cpuinfo.ok()) context.set_cpu_model(ParseCpuModel(*cpuinfo));
  utsname names;
  if (uname(&names) == 0) context.set_kernel_release(names.release);
  context.set_online_cpus(static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  int64_t pages = sysconf(_SC_PHYS_PAGES);
  context.set_memory_mib(pages * sysconf(_SC_PAGESIZE) >> 20);
  context.set_guest_mips(probe.kernel_mode_mips);
  context.set_host_class(
      HostClass(context.cpu_model(), probe.kernel_mode_mips));
  return context;
}

std::string DefaultHostId() {
  utsname names;
  std::string id = uname(&names) == 0 ? names.nodename : "";
  // What Linux calls a machine that nobody named.
  if (id == "(none)") id.clear();
  id.resize(std::min<size_t>(id.size(), 64));
  for (char& c : id) {
    bool is_fine = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                   c == '.' || c == '_' || c == '-';
    if (!is_fine) c = '-';
  }
  return id.empty() ? "host" : id;
}

int64_t GuestMemoryMib() {
  auto meminfo = ReadFile("/proc/meminfo", /*max_bytes=*/1 << 20);
  return meminfo.ok() ? ParseAvailableMib(*meminfo) * 9 / 10 : 0;
}

}  // namespace ktstr::hostd
