// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_CONVERTERS_SHELL_H_
#define KTSTR_COORDINATOR_CONVERTERS_SHELL_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/topology.h"
#include "proto/shells.pb.h"

namespace ktstr::coordinator {

// The topology of a request in which everything was checked.
//
// Errors: InvalidArgument naming the field and what is accepted.
absl::StatusOr<Topology> CheckShellRequest(const v1::ShellRequest& request);

// Every artifact the request names.
std::vector<v1::ArtifactRef> ArtifactsOf(const v1::ShellRequest& request);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_CONVERTERS_SHELL_H_
