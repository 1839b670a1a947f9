// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_CONVERTERS_GRPC_STATUS_H_
#define KTSTR_COORDINATOR_CONVERTERS_GRPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace ktstr::coordinator {

// The codes of both are the same numbers; the message is kept.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_CONVERTERS_GRPC_STATUS_H_
