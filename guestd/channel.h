// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_CHANNEL_H_
#define KTSTR_GUESTD_CHANNEL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "proto/guest.pb.h"

namespace ktstr::guestd {

// The two ends by which guestd and hostd find each other. Any stream sockets
// do; the real ones are vsock.
struct Channel {
  // Listening, non-blocking: hostd connects here and speaks gRPC.
  UniqueFd listener;
  // Connected to hostd, blocking: carries one Hello; its hang-up means that
  // hostd is gone.
  UniqueFd host;
};

// Listens on vsock port kGuestServicePort first, then connects to the host's
// kHostHelloPort, so that hostd can call back as soon as it has read the Hello.
//
// Blocks: until the host answers, `timeout` at most.
// Errors: Unimplemented for a kernel without vsock; errno's mapping otherwise.
absl::StatusOr<Channel> OpenVsockChannel(absl::Duration timeout);

// Length (4 bytes, little endian) and message.
absl::Status WriteHello(int fd, const v1::Hello& hello);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_CHANNEL_H_
