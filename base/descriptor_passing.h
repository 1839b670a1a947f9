// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_DESCRIPTOR_PASSING_H_
#define KTSTR_BASE_DESCRIPTOR_PASSING_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace ktstr {

// Most descriptors of one message (SCM_MAX_FD, include/net/scm.h).
inline constexpr size_t kMaxPassedDescriptors = 253;

// A message with descriptors, over a unix socket.
struct PassedDescriptors {
  std::string bytes;
  std::vector<UniqueFd> fds;
};

// Sends `bytes` (at least one) with copies of `fds` (at least one) in one call.
//
// Blocks: while the socket's buffer is full, unless it is non-blocking.
// Errors: InvalidArgument for an empty message or too many descriptors; else
//         the mapping of errno, ResourceExhausted when not all bytes went.
absl::Status SendDescriptors(int socket, absl::string_view bytes,
                             absl::Span<const int> fds);

// Takes the message that is there now, at most `max_bytes` of it.
//
// Trust:  the sender's: any bytes, any kind and number of descriptors.
// Errors: Unavailable when there is none, OutOfRange at the end of the stream,
//         DataLoss when descriptors were cut off, else the mapping of errno.
absl::StatusOr<PassedDescriptors> ReceiveDescriptors(int socket,
                                                     size_t max_bytes);

}  // namespace ktstr

#endif  // KTSTR_BASE_DESCRIPTOR_PASSING_H_
