// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_CLEANUP_H_
#define KTSTR_HOSTD_CLEANUP_H_

#include "absl/time/time.h"
#include "hostd/classify.h"

namespace ktstr::hostd {

// Judges a guest that was gone `took` after it was done by the time that its
// test gives it. Pure. A PASS that took longer becomes a FAIL, a FAIL has one
// finding more; nothing else depends on it.
void JudgeCleanup(absl::Duration took, absl::Duration budget,
                  Classification* judged);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_CLEANUP_H_
