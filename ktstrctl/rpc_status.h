// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_RPC_STATUS_H_
#define KTSTR_KTSTRCTL_RPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace ktstr::ktstrctl {

// The wire's status as ours: same code, same message.
inline absl::Status FromRpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // Both enumerations are the canonical codes.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_RPC_STATUS_H_
