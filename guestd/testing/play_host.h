// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_TESTING_PLAY_HOST_H_
#define KTSTR_GUESTD_TESTING_PLAY_HOST_H_

#include <string>

#include "proto/guest.pb.h"

namespace ktstr::guestd {

// Speaks gRPC over the connected socket `fd` (owned) as hostd would: RunTest,
// with every event printed, then PowerOff.
void PlayHost(int fd, const v1::RunTestRequest& request);

// Connects to a unix socket; ends the program when it cannot.
int ConnectUnix(const std::string& path);

// Listens on a unix socket, non-blocking; ends the program when it cannot.
int ListenUnix(const std::string& path);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_TESTING_PLAY_HOST_H_
