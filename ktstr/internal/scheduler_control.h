// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_SCHEDULER_CONTROL_H_
#define KTSTR_KTSTR_INTERNAL_SCHEDULER_CONTROL_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ktstr {

// Attaches and detaches the scheduler under test while the test runs. Somebody
// else's process: guestd's.
//
// Blocks: until the kernel says attached or detached, or guestd gives up.
// Errors: FailedPrecondition  one is attached already, or none is, or the
//                             attempt has no scheduler program.
//         Aborted             the scheduler is to blame: it does not attach or
//                             detach, or has ended by itself.
//         Unavailable         nobody answers.
class SchedulerControl {
 public:
  using Args = std::optional<std::vector<std::string>>;

  virtual ~SchedulerControl() = default;

  // `args` are argv[1..]; unset: those the attempt began with.
  virtual absl::Status Attach(const Args& args) = 0;
  virtual absl::Status Detach() = 0;
  virtual absl::Status Replace(const Args& args) = 0;

  // Of the one that is attached now.
  virtual std::optional<int> pid() const = 0;
};

namespace internal {

// Speaks ktstr.v1.ControlRequest, one a packet, over the SOCK_SEQPACKET `fd`
// (borrowed). `pid` is of the scheduler attached now.
std::unique_ptr<SchedulerControl> MakeSchedulerControl(int fd,
                                                       std::optional<int> pid);

}  // namespace internal
}  // namespace ktstr

#endif  // KTSTR_KTSTR_INTERNAL_SCHEDULER_CONTROL_H_
