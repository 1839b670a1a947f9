// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_POLL_H_
#define KTSTR_BASE_POLL_H_

#include <poll.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace ktstr {

// poll(2) up to a deadline, whatever signals arrive and wherever the wall clock
// steps meanwhile. Returns how many of `fds` are ready: 0 once `deadline` of
// RealClock().Monotonic() has passed (one in the past just looks, infinity
// waits for ever).
//
// Errors: the mapping of errno.
absl::StatusOr<int> PollUntil(absl::Span<pollfd> fds, absl::Duration deadline);

}  // namespace ktstr

#endif  // KTSTR_BASE_POLL_H_
