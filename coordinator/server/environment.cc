// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/server/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "coordinator/placement/fair_policy.h"
#include "coordinator/store/sqlite_store.h"

namespace ktstr::coordinator {
namespace {

absl::StatusOr<UniqueFd> LockDir(const std::string& dir) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd lock,
                        OpenFile(JoinPath(dir, "lock"), O_RDWR | O_CREAT));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) {
    return absl::FailedPreconditionError(
        absl::StrCat("data directory ", dir,
                     " is in use by another coordinator; stop it or choose "
                     "another directory"));
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("lock ", dir));
}

}  // namespace

absl::StatusOr<Environment> OpenEnvironment(const EnvironmentOptions& options,
                                            Clock* clock, Random* random) {
  Environment environment = {.clock = clock, .random = random};
  ABSL_RETURN_IF_ERROR(Annotate(MakeDirs(options.data_dir), "data directory"));
  absl::StatusOr<UniqueFd> lock = LockDir(options.data_dir);
  if (!lock.ok()) return Annotate(lock.status(), "data directory");
  environment.lock = *std::move(lock);
  ABSL_ASSIGN_OR_RETURN(
      environment.store,
      SqliteStore::Open(JoinPath(options.data_dir, "coordinator.db")));
  environment.policy = std::make_unique<FairPolicy>();
  ABSL_ASSIGN_OR_RETURN(
      environment.artifacts,
      ArtifactStore::Open(JoinPath(options.data_dir, "artifacts"),
                          options.max_artifact_bytes));
  ABSL_ASSIGN_OR_RETURN(
      environment.fleet,
      Fleet::Create(environment.store.get(), environment.policy.get(), clock,
                    options.fleet));
  environment.shells = std::make_unique<ShellRelays>();
  return environment;
}

}  // namespace ktstr::coordinator
