// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_RUN_FOLLOWER_H_
#define KTSTR_KTSTRCTL_RUN_FOLLOWER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "ktstrctl/progress.h"
#include "results/result_directory.h"

namespace ktstr::v1 {
class Run;
class RunCounts;
class Variant;
class WatchRunResponse;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

class EmbeddedFleet;
class FleetClient;
class RunWatch;

// Stays with a run until it is finished: shows progress, writes each result as
// it comes, cancels when asked to, notices when an embedded fleet dies.
//
// Threads: Follow() and the accessors on the thread that started the embedded
//          fleet; RequestCancel() on any.
class RunFollower {
 public:
  struct Options {
    FleetClient* client = nullptr;
    EmbeddedFleet* fleet = nullptr;  // null: somebody else's fleet
    Progress* progress = nullptr;
    results::ResultDirectory* results = nullptr;
    Clock* clock = nullptr;
    // How long an embedded fleet may take to confirm a cancellation.
    absl::Duration cancel_patience = absl::Seconds(20);
  };
  // Everything in `options` must outlive the object.
  static absl::StatusOr<std::unique_ptr<RunFollower>> Create(
      const Options& options, std::string run_id);
  ~RunFollower();

  // Blocks: until every variant is done; until an embedded fleet died or does
  //         not confirm a cancellation, which makes unfinished variants MISS or
  //         CANCELLED.
  // Errors: what the coordinator said (it does not know the run); a result that
  //         could not be written.
  absl::Status Follow();

  // Cancels the run; Follow() returns when the hosts have confirmed. Async-safe
  // is not promised; call it from an ordinary thread.
  void RequestCancel();

  bool was_cancelled() const { return was_cancelled_; }
  // By index.
  std::vector<const v1::Variant*> variants() const;
  const v1::Run& run() const { return *run_; }
  // Counted over variants().
  v1::RunCounts Counts() const;
  // Why it ended early; empty otherwise.
  const std::string& trouble() const { return trouble_; }

 private:
  RunFollower(const Options& options, std::string run_id, UniqueFd cancel);
  absl::Status Step(RunWatch& watch, bool& is_over);
  absl::Status TakeNews(RunWatch& watch, bool& is_over);
  absl::Status TakeBatch(const v1::WatchRunResponse& batch);
  absl::Status Settle(const v1::Variant& variant);
  absl::Status GiveUp(int outcome, const std::string& reason);
  void StartCancelling();
  void TellTrouble(const std::string& trouble);

  const Options options_;
  const std::string run_id_;
  const UniqueFd cancel_;
  bool was_cancelled_ = false;
  absl::Duration cancelled_at_;
  std::string told_trouble_;
  std::string trouble_;
  std::unique_ptr<v1::Run> run_;
  std::map<int64_t, v1::Variant> variants_;
  // The CancelRun call, which may wait for the coordinator.
  Thread canceller_;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_RUN_FOLLOWER_H_
