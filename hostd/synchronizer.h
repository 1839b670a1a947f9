// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_SYNCHRONIZER_H_
#define KTSTR_HOSTD_SYNCHRONIZER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hostd/attempts.h"
#include "proto/hosts.grpc.pb.h"

namespace ktstr::hostd {

// Keeps the coordinator and this host's attempts in agreement: one Synchronize
// call at a time, cut short when there is news, repeated with growing pauses
// while the coordinator is away. Results are kept until acknowledged.
//
// Threads: Run on one thread; everything else from any.
class Synchronizer {
 public:
  struct Options {
    std::string host_id;
    // Fresh for each process.
    std::string incarnation;
    ktstr::v1::HostContext context;
    int cpus = 1;
    int64_t memory_mib = 0;
    // Why this host takes no leases; empty when it does.
    std::string unusable_reason;
    // How long the coordinator may hold a call.
    absl::Duration max_wait = absl::Seconds(10);
    absl::Duration min_backoff = absl::Milliseconds(100);
    absl::Duration max_backoff = absl::Seconds(5);
    // Phases alone shorten a call at most this often.
    absl::Duration phase_interval = absl::Milliseconds(250);
    // After the last guest ended, a draining host waits this long for a
    // coordinator that does not answer.
    absl::Duration drain_limit = absl::Seconds(3);
    // Called once, after the first answer.
    std::function<void()> on_first_answer;
    // Called with each answer's shells, when there are any.
    std::function<void(
        const google::protobuf::RepeatedPtrField<ktstr::v1::ShellLease>&)>
        on_shells;
    // Called when the coordinator goes away or comes back, with its words.
    std::function<void(const std::string&)> on_connection;
  };

  // Both outlive the synchronizer.
  Synchronizer(Options options, ktstr::v1::Hosts::StubInterface* stub,
               Attempts* attempts);

  // Blocks: until drained or given up.
  //
  // Errors:
  //   Aborted          a newer hostd speaks for this host; guests were ended.
  //   InvalidArgument  the coordinator refuses this host's name.
  //   Cancelled        Abandon() was called.
  absl::Status Run();

  // There is something to tell.
  void OnNews(Attempts::News news);

  // Takes no leases any more, ends the guests, reports, lets Run return.
  void Drain();

  // Lets Run return at once.
  void Abandon();

 private:
  struct Call;
  enum class State { kServing, kDraining, kAbandoned };

  ktstr::v1::SynchronizeRequest MakeRequest() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the call's end. True when it was cut short for news.
  bool AwaitCall(Call* call) ABSL_LOCKS_EXCLUDED(mutex_);
  // False when the call ended first.
  bool AwaitNews(Call* call) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for `pause`, or less when the state changes.
  void Pause(absl::Duration pause, bool ends_with_news)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsDrained() const ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteConnection(bool is_up, const std::string& words);

  const Options options_;
  ktstr::v1::Hosts::StubInterface* const stub_;
  Attempts* const attempts_;

  mutable absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kServing;
  bool has_finished_news_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_phase_news_ ABSL_GUARDED_BY(mutex_) = false;
  // Used by Run's thread only.
  std::optional<bool> is_up_;
  absl::Duration last_success_;  // of the monotonic clock
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_SYNCHRONIZER_H_
