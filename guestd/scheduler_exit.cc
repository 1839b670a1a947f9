// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/scheduler_exit.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "guestd/printable.h"

namespace ktstr::guestd {
namespace {

struct Reason {
  absl::string_view words;
  v1::SchedulerExitKind kind;
};

// scx_exit_reason().
constexpr Reason kReasons[] = {
    {"unregistered from user space", v1::EXIT_UNREGISTERED_BY_USER},
    {"unregistered from BPF", v1::EXIT_UNREGISTERED_BY_BPF},
    {"unregistered from the main kernel", v1::EXIT_UNREGISTERED_BY_KERNEL},
    {"disabled by sysrq-S", v1::EXIT_SYSRQ},
    {"runtime error", v1::EXIT_ERROR},
    {"scx_bpf_error", v1::EXIT_ERROR_BPF},
    {"runnable task stall", v1::EXIT_ERROR_STALL},
};

v1::SchedulerExitKind KindOf(absl::string_view words) {
  for (const Reason& reason : kReasons) {
    if (words == reason.words) return reason.kind;
  }
  return v1::EXIT_UNKNOWN;
}

bool IsError(v1::SchedulerExitKind kind) {
  return kind == v1::EXIT_ERROR || kind == v1::EXIT_ERROR_BPF ||
         kind == v1::EXIT_ERROR_STALL || kind == v1::EXIT_UNKNOWN;
}

// "   symbol+0x12/0x34", as stack_trace_print() indents it for sched_ext.
bool IsFrame(absl::string_view message) {
  return absl::ConsumePrefix(&message, "   ") && !message.empty() &&
         message[0] != ' ' && absl::StrContains(message, "+0x");
}

// Removes what `text` has from the last `mark` on, and `mark`, into `after`.
bool SplitLast(absl::string_view mark, absl::string_view* text,
               absl::string_view* after) {
  size_t at = text->rfind(mark);
  if (at == absl::string_view::npos) return false;
  *after = text->substr(at + mark.size());
  *text = text->substr(0, at);
  return true;
}

}  // namespace

absl::optional<v1::StalledTask> ParseStalledTask(absl::string_view message) {
  absl::string_view task = message;
  absl::string_view seconds;
  absl::string_view pid;
  int32_t number = 0;
  double waited = 0;
  if (!SplitLast(" failed to run for ", &task, &seconds) ||
      !absl::ConsumeSuffix(&seconds, "s") ||
      !absl::SimpleAtod(seconds, &waited) || !(waited >= 0 && waited < 1e9) ||
      !absl::ConsumeSuffix(&task, "]") || !SplitLast("[", &task, &pid) ||
      !absl::SimpleAtoi(pid, &number)) {
    return absl::nullopt;
  }
  v1::StalledTask stalled;
  stalled.set_comm(PrintableLine(task, 64));
  stalled.set_pid(number);
  const auto milliseconds = static_cast<int64_t>(waited * 1e3 + 0.5);
  stalled.mutable_waited()->set_seconds(milliseconds / 1000);
  stalled.mutable_waited()->set_nanos(
      static_cast<int32_t>(milliseconds % 1000 * 1000000));
  return stalled;
}

bool SchedulerExitReader::Begin(absl::string_view message) {
  // sched_ext: BPF scheduler "NAME" disabled (REASON)
  absl::string_view reason;
  if (!absl::ConsumePrefix(&message, "BPF scheduler \"") ||
      !absl::ConsumeSuffix(&message, ")") ||
      !SplitLast("\" disabled (", &message, &reason)) {
    return false;
  }
  v1::SchedulerExit exit;
  exit.set_kind(KindOf(reason));
  exit.set_ops(PrintableLine(message, 128));
  exit.set_reason(PrintableLine(reason, 128));
  is_open_ = !exit_ || !IsError(exit_->kind());
  if (is_open_) exit_ = std::move(exit);
  return true;
}

void SchedulerExitReader::AddDetails(absl::string_view text) {
  // NAME: MESSAGE
  if (!absl::ConsumePrefix(&text, exit_->ops()) ||
      !absl::ConsumePrefix(&text, ": ") || !exit_->message().empty()) {
    return;
  }
  exit_->set_message(PrintableLine(text, kMaxTextBytes));
  if (exit_->kind() != v1::EXIT_ERROR_STALL) return;
  absl::optional<v1::StalledTask> task = ParseStalledTask(text);
  if (task) *exit_->mutable_stalled_task() = *std::move(task);
}

bool SchedulerExitReader::Add(absl::string_view message) {
  absl::string_view text = message;
  if (absl::ConsumePrefix(&text, "sched_ext: ")) {
    if (Begin(text)) return true;
    if (is_open_) AddDetails(text);
    // Another one begins.
    if (absl::StartsWith(text, "BPF scheduler \"")) is_open_ = false;
    return false;
  }
  if (is_open_ && IsError(exit_->kind()) && IsFrame(message) &&
      exit_->backtrace_size() < kMaxFrames) {
    exit_->add_backtrace(PrintableLine(message, kMaxFrameBytes));
  }
  return false;
}

}  // namespace ktstr::guestd
