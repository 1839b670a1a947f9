// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_BOUNDED_CALL_H_
#define KTSTR_KTSTR_INTERNAL_BOUNDED_CALL_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace ktstr::internal {

// Runs `call`, which returns 0 or an errno below 256, in a child process that
// is killed after `timeout`: a write into a file of the kernel can hang while
// the scheduler under test misbehaves.
//
// SAFETY: the child only makes system calls and leaves by _exit; `call` must
//         neither allocate nor take a lock.
// Errors: DeadlineExceeded, else the mapping of the errno; `what` is in each.
absl::Status RunBounded(const std::string& what, absl::Duration timeout,
                        const std::function<int()>& call);

// Writes `bytes` into the existing file `path` in this way.
absl::Status WriteBounded(const std::string& path, const std::string& bytes,
                          absl::Duration timeout);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_BOUNDED_CALL_H_
