// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_TESTING_FLEET_FIXTURE_H_
#define KTSTR_COORDINATOR_TESTING_FLEET_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/file.h"
#include "coordinator/server/environment.h"
#include "coordinator/server/random.h"
#include "coordinator/server/server.h"
#include "proto/artifact.grpc.pb.h"
#include "proto/fleet.grpc.pb.h"
#include "proto/hosts.grpc.pb.h"
#include "proto/shells.grpc.pb.h"

namespace ktstr::coordinator {

// A real coordinator on a unix socket and a data directory of its own, with a
// clock that stands still, and clients for it.
class FleetFixture {
 public:
  FleetFixture();
  ~FleetFixture();

  // Stops and starts the coordinator on the same data.
  void Restart();
  void Stop();

  absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request);
  // Submit() that must succeed; the run's id.
  std::string MustSubmit(const v1::SubmitRequest& request);
  v1::GetRunResponse GetRun(const std::string& run_id);
  absl::Status Cancel(const std::string& run_id);
  absl::Status Upload(const std::string& sha256, int64_t size_bytes,
                      const std::string& content);

  // One suite "suite" with tests "t0", "t1", ... of 2 CPUs, kernel "k" with
  // sched_ext; their artifacts are uploaded.
  v1::SubmitRequest Request(int tests);
  // Uploads `content` and names it.
  v1::ArtifactRef Artifact(const std::string& name, const std::string& content);

  FakeClock clock;
  std::unique_ptr<v1::Fleet::Stub> fleet;
  std::unique_ptr<v1::Hosts::Stub> hosts;
  std::unique_ptr<v1::Artifacts::Stub> artifacts;
  std::unique_ptr<v1::Shells::Stub> shells;
  Environment& environment() { return *environment_; }

 private:
  void Start();

  TempDir dir_;
  CountingRandom random_{1};
  std::unique_ptr<Environment> environment_;
  std::unique_ptr<Server> server_;
  int requests_ = 0;
};

// A host that does what it is told and reports what the test decides.
class ScriptedHost {
 public:
  ScriptedHost(FleetFixture* fixture, std::string id, int cpus,
               std::string incarnation = "i1");

  // One call that is answered at once, or waits for at most `max_wait`. Leases
  // join `running`, acknowledged and revoked attempts leave.
  absl::StatusOr<v1::SynchronizeResponse> Call(
      absl::Duration max_wait = absl::ZeroDuration());
  // Call() that must succeed; its leases.
  std::vector<v1::Attempt> Leases(
      absl::Duration max_wait = absl::ZeroDuration());

  // Moves a running attempt to the finished ones of the next call.
  void Finish(const v1::AttemptKey& key, v1::Outcome outcome,
              const std::string& reason = "");

  v1::SynchronizeRequest request;

 private:
  void Forget(const v1::AttemptKey& key);

  FleetFixture& fixture_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_TESTING_FLEET_FIXTURE_H_
