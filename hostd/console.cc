// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/console.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace ktstr::hostd {
namespace {

constexpr size_t kMaxLine = 1024;
constexpr absl::string_view kPanic = "Kernel panic - not syncing";

// Where in the line a text must stand to mean something.
enum class Where { kStart, kAnywhere };
struct Pattern {
  Where where;
  absl::string_view text;
};

constexpr Pattern kOopses[] = {
    {Where::kStart, "BUG: kernel NULL pointer dereference"},
    {Where::kStart, "BUG: unable to handle"},
    {Where::kStart, "BUG: scheduling while atomic"},
    {Where::kStart, "BUG: Bad page state"},
    {Where::kStart, "BUG: KASAN:"},
    {Where::kStart, "BUG: KFENCE:"},
    {Where::kStart, "kernel BUG at"},
    {Where::kStart, "Oops: "},
    {Where::kStart, "Unable to handle kernel"},
    {Where::kStart, "Internal error: Oops"},
    {Where::kStart, "general protection fault"},
    {Where::kStart, "double fault:"},
    {Where::kStart, "PANIC: double fault"},
    {Where::kStart, "invalid opcode:"},
    {Where::kStart, "divide error:"},
    {Where::kStart, "stack segment:"},
    {Where::kStart, "kernel tried to execute NX-protected page"},
};

constexpr Pattern kLockups[] = {
    {Where::kAnywhere, "BUG: soft lockup"},
    {Where::kAnywhere, "Watchdog detected hard LOCKUP"},
    {Where::kAnywhere, "detected stalls on CPUs/tasks"},
    {Where::kAnywhere, "self-detected stall on CPU"},
    {Where::kAnywhere, "detected expedited stalls"},
    {Where::kStart, "BUG: workqueue lockup"},
    {Where::kAnywhere, "blocked for more than"},
    {Where::kAnywhere, "kthread starved for"},
};

constexpr Pattern kSchedExt[] = {
    {Where::kAnywhere, "BPF scheduler"},
    {Where::kAnywhere, "runnable task stall"},
};

constexpr Pattern kUnpacking[] = {
    {Where::kStart, "Initramfs unpacking failed"},
    {Where::kStart, "rootfs image is not initramfs"},
};

bool Matches(absl::string_view line, const Pattern& pattern) {
  return pattern.where == Where::kStart ? absl::StartsWith(line, pattern.text)
                                        : absl::StrContains(line, pattern.text);
}

template <size_t kCount>
bool MatchesAny(absl::string_view line, const Pattern (&patterns)[kCount]) {
  return std::any_of(
      std::begin(patterns), std::end(patterns),
      [line](const Pattern& pattern) { return Matches(line, pattern); });
}

PanicKind KindOfPanic(absl::string_view line) {
  for (absl::string_view text :
       {"Unable to mount root fs", "No working init found", "No init found",
        "Requested init"}) {
    if (absl::StrContains(line, text)) return PanicKind::kNoInit;
  }
  if (absl::StrContains(line, "Attempted to kill init")) {
    return PanicKind::kInitDied;
  }
  for (absl::string_view text : {"deadlocked on memory", "Out of memory",
                                 "out of memory", "Failed to allocate"}) {
    if (absl::StrContains(line, text)) return PanicKind::kOutOfMemory;
  }
  return PanicKind::kKernel;
}

void SetFirst(absl::string_view line, std::string* field) {
  if (field->empty()) *field = PrintableText(line);
}

// "[...]" at the front whose content looks like a time stamp or a caller id.
bool ConsumeBracket(absl::string_view* line) {
  if (!absl::StartsWith(*line, "[")) return false;
  size_t end = line->find(']');
  if (end == absl::string_view::npos || end > 24) return false;
  absl::string_view inside =
      absl::StripLeadingAsciiWhitespace(line->substr(1, end - 1));
  if (inside.empty()) return false;
  if (inside[0] == 'T' || inside[0] == 'C') inside.remove_prefix(1);
  bool is_number =
      !inside.empty() && std::all_of(inside.begin(), inside.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.';
      });
  if (!is_number) return false;
  line->remove_prefix(end + 1);
  *line = absl::StripLeadingAsciiWhitespace(*line);
  return true;
}

}  // namespace

absl::string_view StripKernelPrefix(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  if (line.size() >= 3 && line[0] == '<') {
    size_t end = line.find('>');
    if (end != absl::string_view::npos && end <= 4) line.remove_prefix(end + 1);
  }
  if (ConsumeBracket(&line)) ConsumeBracket(&line);
  return line;
}

void Console::Append(absl::string_view bytes) {
  facts_.bytes += static_cast<int64_t>(bytes.size());
  tail_.Append(bytes);
  while (!bytes.empty()) {
    size_t end = bytes.find('\n');
    absl::string_view piece = bytes.substr(0, end);
    if (line_.size() < kMaxLine) {
      absl::StrAppend(&line_, piece.substr(0, kMaxLine - line_.size()));
    }
    if (end == absl::string_view::npos) return;
    JudgeLine(line_);
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void Console::Finish() {
  if (!line_.empty()) JudgeLine(line_);
  line_.clear();
}

void Console::LearnFrom(absl::string_view kernel_log) {
  Console log;
  log.Append(kernel_log);
  log.Finish();
  const ConsoleFacts& other = log.facts();
  auto take = [](std::string& ours, const std::string& theirs) {
    if (ours.empty()) ours = theirs;
  };
  take(facts_.oops, other.oops);
  take(facts_.lockup, other.lockup);
  take(facts_.sched_ext, other.sched_ext);
}

void Console::JudgeLine(absl::string_view line) {
  line = StripKernelPrefix(line);
  if (line.empty()) return;
  facts_.last_line = PrintableText(line);
  if (absl::StartsWith(line, kPanic) && facts_.panic.empty()) {
    facts_.panic = PrintableText(line);
    facts_.panic_kind = KindOfPanic(line);
    return;
  }
  if (MatchesAny(line, kLockups)) return SetFirst(line, &facts_.lockup);
  if (MatchesAny(line, kOopses)) return SetFirst(line, &facts_.oops);
  if (MatchesAny(line, kUnpacking)) return SetFirst(line, &facts_.unpacking);
  if (absl::StartsWith(line, "sched_ext:") && MatchesAny(line, kSchedExt) &&
      !absl::StrContains(line, "enabled")) {
    facts_.sched_ext = PrintableText(line);
  }
}

}  // namespace ktstr::hostd
