// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_KERNEL_MESSAGES_H_
#define KTSTR_GUESTD_KERNEL_MESSAGES_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "base/unique_fd.h"
#include "guestd/event_loop.h"

namespace ktstr::guestd {

// The text of a record of /dev/kmsg ("4,512,5140900,-;text\n KEY=value\n") that
// the kernel itself wrote; nothing when a process did, or when it is no record.
// Line feeds, tabs and backslashes are themselves again, all else that is not
// printable stays "\xNN".
//
// Source: Documentation/ABI/testing/dev-kmsg.
absl::optional<std::string> ParseKernelMessage(absl::string_view record);

// /dev/kmsg from its present end on: one record a read, never blocking.
absl::StatusOr<UniqueFd> OpenKernelMessages();

// What the kernel says from now on, as events.
//
// Threads:  the loop's.
// Lifetime: `loop` outlives it.
class KernelMessages {
 public:
  // `fd` gives one record a read; `on_message` gets what the kernel wrote.
  KernelMessages(UniqueFd fd, EventLoop* loop,
                 std::function<void(absl::string_view)> on_message);
  ~KernelMessages();
  KernelMessages(const KernelMessages&) = delete;
  KernelMessages& operator=(const KernelMessages&) = delete;

  // Delivers all that has been said. Bounded, however much is being said.
  void Drain();

 private:
  // False when there is no more.
  bool ReadOne();

  UniqueFd fd_;
  EventLoop* const loop_;
  const std::function<void(absl::string_view)> on_message_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_KERNEL_MESSAGES_H_
