// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_PRIORITY_H_
#define KTSTR_GUESTD_PRIORITY_H_

#include "absl/status/status.h"

namespace ktstr::guestd {

// Puts the calling thread, and every thread it starts from now on, into
// SCHED_FIFO, a class no sched_ext scheduler owns: guestd answers while the
// scheduler under test starves everything else. Call before gRPC starts
// threads; what they start is reset (CommandSpec::ordinary_scheduling).
// PermissionDenied without CAP_SYS_NICE.
absl::Status RunAboveEveryScheduler();

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_PRIORITY_H_
