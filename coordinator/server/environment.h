// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_SERVER_ENVIRONMENT_H_
#define KTSTR_COORDINATOR_SERVER_ENVIRONMENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "coordinator/artifacts/artifact_store.h"
#include "coordinator/placement/policy.h"
#include "coordinator/server/random.h"
#include "coordinator/state/fleet.h"
#include "coordinator/state/shell_relays.h"
#include "coordinator/store/store.h"

namespace ktstr::coordinator {

// Every long-lived object of a coordinator, built once and handed to the
// handlers. Members are destroyed last to first, users before what they use.
struct Environment {
  Clock* clock = nullptr;    // not owned
  Random* random = nullptr;  // not owned
  // Holds the data directory against a second coordinator; may be none.
  UniqueFd lock;
  std::unique_ptr<Store> store;
  std::unique_ptr<PlacementPolicy> policy;
  std::unique_ptr<ArtifactStore> artifacts;
  std::unique_ptr<Fleet> fleet;
  std::unique_ptr<ShellRelays> shells;
};

struct EnvironmentOptions {
  std::string data_dir;
  FleetOptions fleet;
  int64_t max_artifact_bytes = ArtifactStore::kDefaultMaxBytes;
};

// Opens the data directory: `lock`, `coordinator.db`, `artifacts/`.
//
// Errors:
//   FailedPrecondition  another coordinator has the directory; a newer schema.
//   others              the directory cannot be created or written.
absl::StatusOr<Environment> OpenEnvironment(const EnvironmentOptions& options,
                                            Clock* clock, Random* random);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_SERVER_ENVIRONMENT_H_
