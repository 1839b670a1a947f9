// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SCHED_EXT_DUMP_H_
#define KTSTR_GUESTD_SCHED_EXT_DUMP_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "base/unique_fd.h"
#include "guestd/event_loop.h"
#include "proto/outcome.pb.h"

namespace ktstr::guestd {

// The task of a dump's line about it, and for how long it has been waiting for
// a CPU: "  R ktstr-worker[77] -1020ms". Nothing for other lines, and for the
// task that a CPU is running ('*').
absl::optional<v1::StalledTask> ParseDumpedTask(absl::string_view line);

// What sched_ext dumps when it ends a scheduler because of an error: CPUs, the
// tasks on them and those that wait, with their stacks.
//
// The kernel writes a dump line by line into the event sched_ext_dump
// (kernel/sched/ext.c 6.12, dump_line()), before it says why in its log and
// before it takes the scheduler out. This is an instance of tracefs with that
// event only, removed by the destructor.
//
// Shape:    the first kMaxBytes; a last line in brackets says when there was
//           more, also when the kernel's buffers were too small.
// Threads:  the loop's.
// Lifetime: `loop` outlives it.
class SchedExtDump {
 public:
  // With the line that says so, what the host keeps.
  static constexpr size_t kMaxBytes = (1 << 20) - 256;

  // `on_text` gets whole lines, at most 64 KiB at a time.
  //
  // Errors: errno's mapping; the kernel has no tracefs, or no such event.
  static absl::StatusOr<std::unique_ptr<SchedExtDump>> Create(
      const std::string& tracefs, EventLoop* loop,
      std::function<void(absl::string_view)> on_text);
  ~SchedExtDump();
  SchedExtDump(const SchedExtDump&) = delete;
  SchedExtDump& operator=(const SchedExtDump&) = delete;

  // Delivers all that has been dumped, without waiting. Once a scheduler is out
  // there is no more.
  void Drain();

  // The task that has been waiting longest, of those dumped so far.
  const absl::optional<v1::StalledTask>& longest_waiting() const {
    return longest_waiting_;
  }

 private:
  SchedExtDump(std::string dir, EventLoop* loop,
               std::function<void(absl::string_view)> on_text);
  absl::Status Open();
  // False when there is no more.
  bool ReadSome();
  void TakeLine(absl::string_view line, std::string* text);
  void Deliver(absl::string_view text);
  void NoteDropped();

  const std::string dir_;
  EventLoop* const loop_;
  const std::function<void(absl::string_view)> on_text_;
  UniqueFd pipe_;
  std::string rest_;  // the beginning of a line
  size_t delivered_bytes_ = 0;
  bool is_full_ = false;
  bool is_drop_noted_ = false;
  absl::optional<v1::StalledTask> longest_waiting_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SCHED_EXT_DUMP_H_
