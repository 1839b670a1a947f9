// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_CONSOLE_H_
#define KTSTR_HOSTD_CONSOLE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "hostd/text.h"

namespace ktstr::hostd {

// Whose fault a kernel panic is, as far as its text tells.
enum class PanicKind {
  kNone = 0,
  // The kernel found no init or no root file system: the initramfs we built.
  kNoInit,
  // PID 1, our guestd, ended.
  kInitDied,
  // Memory ran out with nothing left to end.
  kOutOfMemory,
  // Anything else: the kernel itself.
  kKernel,
};

// What a guest's console said so far. Every text is one line without the
// kernel's prefixes, printable and short; empty when there was none.
struct ConsoleFacts {
  int64_t bytes = 0;
  // First "Kernel panic - not syncing" line.
  std::string panic;
  PanicKind panic_kind = PanicKind::kNone;
  // First oops, BUG or fault of kernel code.
  std::string oops;
  // First soft or hard lockup, RCU stall, workqueue lockup or hung task.
  std::string lockup;
  // Last line in which sched_ext said that it disabled or ejected a scheduler.
  std::string sched_ext;
  // The initramfs could not be unpacked.
  std::string unpacking;
  // Last line that is not empty.
  std::string last_line;
};

// Reads a guest's console as it arrives.
//
// Shape: lines may come in pieces of any size; a line is judged when it is
//        complete, on its first 1,024 bytes.
// Trust: every byte belongs to the guest. A guest that prints a panic line
//        without panicking only hurts its own verdict.
class Console {
 public:
  static constexpr size_t kTailBytes = 256 << 10;

  Console() : tail_(kTailBytes) {}

  void Append(absl::string_view bytes);
  // Judges a last line without line end; nothing is appended afterwards.
  void Finish();

  // Adds what only the kernel's own log says, whose lesser messages the console
  // may not have got. Call after Finish(); the log is not part of the tail.
  void LearnFrom(absl::string_view kernel_log);

  const ConsoleFacts& facts() const { return facts_; }
  // The last kTailBytes, unchanged.
  absl::string_view tail() const { return tail_.text(); }

 private:
  void JudgeLine(absl::string_view line);

  ConsoleFacts facts_;
  TailBuffer tail_;
  std::string line_;
};

// `line` without "<3>", "[    1.234567]", "[T12]", "[    C0]" and the like.
absl::string_view StripKernelPrefix(absl::string_view line);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_CONSOLE_H_
