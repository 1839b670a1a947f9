// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdint>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "guestd/kernel_messages.h"
#include "guestd/sched_ext_dump.h"
#include "guestd/scheduler_exit.h"

// Records of the kernel's log and lines of its dumps: whatever they say, what
// is kept of them is bounded and can be a string of a message.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ktstr::guestd::SchedulerExitReader;
  absl::string_view log(reinterpret_cast<const char*>(data), size);
  SchedulerExitReader reader;
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    reader.Add(line);
    auto task = ktstr::guestd::ParseDumpedTask(line);
    if (task && task->pid() < 0) __builtin_trap();
    auto message = ktstr::guestd::ParseKernelMessage(line);
    if (message) reader.Add(*message);
  }
  if (!reader.exit()) return 0;
  const auto& exit = *reader.exit();
  if (exit.kind() == ktstr::v1::EXIT_UNSPECIFIED ||
      exit.message().size() > SchedulerExitReader::kMaxTextBytes ||
      exit.backtrace_size() > SchedulerExitReader::kMaxFrames) {
    __builtin_trap();
  }
  for (const std::string& frame : exit.backtrace()) {
    if (frame.size() > SchedulerExitReader::kMaxFrameBytes) __builtin_trap();
  }
  for (unsigned char c : exit.ops() + exit.reason() + exit.message() +
                             exit.stalled_task().comm()) {
    if (c < 0x20 || c > 0x7e) __builtin_trap();
  }
  return 0;
}
