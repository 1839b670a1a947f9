// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_STATE_FLEET_H_
#define KTSTR_COORDINATOR_STATE_FLEET_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "coordinator/placement/policy.h"
#include "coordinator/state/host_table.h"
#include "coordinator/state/run_table.h"
#include "coordinator/store/store.h"

namespace ktstr::coordinator {

struct FleetOptions {
  // A host that does not call for this long is lost.
  absl::Duration host_timeout = absl::Seconds(10);
};

// A run, and those of its variants that changed, without their specifications
// and results.
struct RunView {
  v1::Run run;
  std::vector<v1::Variant> changed;
  // Pass it on to see what changed later.
  int64_t version = 0;
  // Whether more changes than the limit were waiting.
  bool has_more = false;
};

// Every run and host: who works on what, and what came of it.
//
// What is durable: runs, leases, results and reasons of misses, each before
// anybody hears of it. Hosts and phases live in memory only; after a restart
// leases are taken from the store, and a host keeps them by listing them within
// one host timeout.
//
// Threads: any. Changes go through one queue: whoever finds no leader leads,
//          applies all queued operations under the mutex in one store
//          transaction and commits it before the mutex is released, so nobody
//          sees what is not durable. When a commit fails, every operation of it
//          fails and the memory is loaded from the store again.
class Fleet {
 public:
  // Loads the store. The pointers must outlive the fleet.
  static absl::StatusOr<std::unique_ptr<Fleet>> Create(Store* store,
                                                       PlacementPolicy* policy,
                                                       Clock* clock,
                                                       FleetOptions options);

  // Makes the run durable, or answers with the run of the same request id.
  absl::StatusOr<v1::SubmitResponse> CreateRun(
      RunRecord run, absl::Span<const VariantDraft> variants);

  // NotFound when no run has this request id.
  absl::StatusOr<v1::SubmitResponse> FindRequest(const std::string& request_id);

  // What changed after `after_version`, at most `limit` variants, oldest change
  // first. 0, or a version this coordinator has not reached, means everything.
  // NotFound for an unknown run, here and below.
  absl::StatusOr<RunView> View(const std::string& run_id, int64_t after_version,
                               size_t limit);

  // As View(), once there is a change or the run is finished.
  //
  // Blocks: for at most `max_wait`, then answers without changes; Unavailable
  //         after Stop().
  absl::StatusOr<RunView> AwaitChange(const std::string& run_id,
                                      int64_t after_version, size_t limit,
                                      absl::Duration max_wait);

  absl::StatusOr<std::vector<v1::Exclusion>> Exclusions(
      const std::string& run_id);

  absl::Status CancelRun(const std::string& run_id);

  // The contract of proto/hosts.proto; the request is well formed. `is_gone`
  // says whether the caller hung up.
  //
  // Blocks: until there is news, for at most the request's max_wait and a third
  //         of the host timeout.
  absl::StatusOr<v1::SynchronizeResponse> Synchronize(
      const v1::SynchronizeRequest& request, std::function<bool()> is_gone);

  // Sets a host's room aside for a shell and offers it to that host until it
  // attaches or the shell ends. Not durable. Returns the host.
  //
  // Errors:
  //   NotFound            no host of the name that the request gives.
  //   FailedPrecondition  the host takes no guests, or never has that much
  //                       memory.
  //   ResourceExhausted   it has too many shells, or too little memory now.
  //   Unavailable         it is lost; or no name is given and no host is here.
  absl::StatusOr<std::string> PlaceShell(const std::string& token,
                                         const v1::ShellRequest& request,
                                         int cpus);
  // The host has taken the shell up.
  void AttachShell(const std::string& host_id, const std::string& token);
  // Gives the room back. Unknown tokens are ignored.
  void EndShell(const std::string& host_id, const std::string& token);

  std::vector<v1::Host> Hosts();

  // Takes the leases from hosts that are lost. Returns how long it may be until
  // the next one is.
  absl::StatusOr<absl::Duration> ExpireHosts();

  // Ends every wait; later waits end at once with Unavailable.
  void Stop();

 private:
  struct Operation;
  struct Settled;

  Fleet(Store* store, PlacementPolicy* policy, Clock* clock,
        FleetOptions options)
      : store_(*store), policy_(*policy), clock_(*clock), options_(options) {}

  // Applies `body` together with other waiting operations. The body returns
  // errors of the store only; anything else it says goes by reference.
  absl::Status Transact(absl::FunctionRef<absl::Status(Transaction&)> body);
  void Lead(absl::Span<Operation* const> batch);
  absl::Status ApplyLocked(absl::Span<Operation* const> batch);
  absl::Status LoadLocked();

  absl::Status ReportLocked(Transaction& transaction,
                            const v1::SynchronizeRequest& request,
                            HeldCall& call);
  absl::Status ChangeIncarnationLocked(Transaction& transaction,
                                       HostEntry& host,
                                       const std::string& incarnation);
  absl::Status SettleLocked(Transaction& transaction, HostEntry& host,
                            v1::AttemptResult result);
  void NoteRunningLocked(HostEntry& host, const v1::SynchronizeRequest& request,
                         HeldCall& call);
  absl::Status EndUnlistedLocked(Transaction& transaction, HostEntry& host,
                                 const v1::SynchronizeRequest& request);

  // Ends the lease without a counted result: back to PENDING while tries are
  // left, else DONE.
  absl::Status MissLocked(Transaction& transaction, HostEntry& host,
                          LeaseRef lease, v1::AttemptResult result);
  absl::Status FinishLocked(Transaction& transaction, HostEntry& host,
                            LeaseRef lease, const v1::AttemptResult& result);

  absl::Status PlaceLocked(Transaction& transaction);
  absl::Status GrantLocked(Transaction& transaction, HostEntry& host,
                           RunEntry& run, int64_t index);

  // OK when the shell may go to the host.
  absl::Status CheckShellRoomLocked(const HostEntry& host, int64_t memory_mib)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<HostEntry*> ChooseShellHostLocked(
      const v1::ShellRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool IsAliveLocked(const HostEntry& host);
  RunView ViewLocked(const RunEntry& run, int64_t after_version, size_t limit);
  v1::SubmitResponse SummaryLocked(const RunEntry& run);
  v1::AttemptResult ResultLocked(LeaseRef lease, v1::Outcome outcome,
                                 std::string reason);

  // Constant after construction; safe by themselves, but the store's
  // transactions and the policy, which are used under mutex_.
  Store& store_;
  PlacementPolicy& policy_;
  Clock& clock_;
  const FleetOptions options_;

  // Never held together with mutex_.
  absl::Mutex queue_mutex_;
  absl::CondVar queue_changed_ ABSL_GUARDED_BY(queue_mutex_);
  std::vector<Operation*> queue_ ABSL_GUARDED_BY(queue_mutex_);
  bool has_leader_ ABSL_GUARDED_BY(queue_mutex_) = false;

  absl::Mutex mutex_;
  // Signalled after a transaction that changed a run, and by Stop().
  absl::CondVar runs_changed_ ABSL_GUARDED_BY(mutex_);
  RunTable runs_ ABSL_GUARDED_BY(mutex_);
  HostTable hosts_ ABSL_GUARDED_BY(mutex_);
  // Starts at the wall clock's microseconds: later than any version of an
  // earlier process.
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STATE_FLEET_H_
