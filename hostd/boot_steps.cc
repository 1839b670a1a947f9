// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/boot_steps.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/proto_time.h"
#include "model/guest_layout.h"

namespace ktstr::hostd {
namespace {

// A kernel that ran longer than this before its init is not one we time.
constexpr double kMaxSeconds = 1e6;

struct Milestone {
  const char* name;
  // How the kernel's line begins (kernel/smp.c, init/initramfs.c, init/main.c).
  const char* text;
};

constexpr Milestone kMilestones[] = {
    {"cpus-up", "smp: Brought up "},
    {"unpack", "Unpacking initramfs"},
    {"run-init", "Run /init as init process"},
};

struct LogLine {
  absl::Duration at;
  absl::string_view text;
};

// "[    1.234567] text"; lines without a time have none.
std::optional<LogLine> ParseLine(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "[")) return std::nullopt;
  const size_t end = line.substr(0, 24).find("] ");
  double seconds = 0;
  if (end == line.npos || !absl::SimpleAtod(line.substr(0, end), &seconds) ||
      !(seconds >= 0 && seconds < kMaxSeconds)) {
    return std::nullopt;
  }
  return LogLine{.at = absl::Seconds(seconds), .text = line.substr(end + 2)};
}

const char* NameOf(const LogLine& line, bool has_first) {
  for (const Milestone& milestone : kMilestones) {
    if (absl::StartsWith(line.text, milestone.text)) return milestone.name;
  }
  // Lines before the clock runs are all at zero.
  return !has_first && line.at > absl::ZeroDuration() ? "kernel-log" : nullptr;
}

}  // namespace

std::vector<ktstr::v1::BootStep> KernelBootSteps(absl::string_view log,
                                                 absl::Duration hello) {
  std::vector<std::pair<const char*, absl::Duration>> found;
  auto has = [&found](absl::string_view name) {
    return std::any_of(found.begin(), found.end(),
                       [name](const auto& step) { return step.first == name; });
  };
  std::optional<absl::Duration> mark;
  for (absl::string_view text : absl::StrSplit(log, '\n')) {
    std::optional<LogLine> line = ParseLine(text);
    if (!line) continue;
    if (absl::StartsWith(line->text, kKernelLogMark)) {
      mark = line->at;
      break;
    }
    const char* name = NameOf(*line, has("kernel-log"));
    if (name != nullptr && !has(name)) found.emplace_back(name, line->at);
  }
  std::vector<ktstr::v1::BootStep> steps;
  if (!mark) return steps;
  for (const auto& [name, at] : found) {
    ktstr::v1::BootStep& step = steps.emplace_back();
    step.set_name(name);
    *step.mutable_since_start() = ToProtoDuration(
        std::clamp(hello - (*mark - at), absl::ZeroDuration(), hello));
  }
  return steps;
}

}  // namespace ktstr::hostd
