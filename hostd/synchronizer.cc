// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/synchronizer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/proto_time.h"
#include "hostd/text.h"

namespace ktstr::hostd {
namespace {

// On top of max_wait before a silent coordinator counts as away.
constexpr absl::Duration kCallSlack = absl::Seconds(10);
// The first moments of a call, in which the coordinator answers if it can.
constexpr absl::Duration kUncut = absl::Milliseconds(20);
// Between two calls when neither side had news: a coordinator that answers at
// once for no reason must not keep us busy.
constexpr absl::Duration kIdlePause = absl::Milliseconds(50);

bool SaysNothing(const ktstr::v1::SynchronizeResponse& response) {
  return response.leases().empty() && response.acknowledged().empty();
}

}  // namespace

// One call in flight. Shared with gRPC's callback, which may come last.
struct Synchronizer::Call {
  grpc::ClientContext context;
  ktstr::v1::SynchronizeRequest request;
  ktstr::v1::SynchronizeResponse response;
  grpc::Status status;
  bool is_done = false;  // guarded by the synchronizer's mutex_
};

Synchronizer::Synchronizer(Options options,
                           ktstr::v1::Hosts::StubInterface* stub,
                           Attempts* attempts)
    : options_(std::move(options)), stub_(stub), attempts_(attempts) {}

void Synchronizer::OnNews(Attempts::News news) {
  absl::MutexLock lock(&mutex_);
  (news == Attempts::News::kFinished ? has_finished_news_ : has_phase_news_) =
      true;
}

void Synchronizer::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    if (state_ == State::kServing) state_ = State::kDraining;
    has_finished_news_ = true;
  }
  attempts_->StopAll(StopReason::kDraining, /*is_immediate=*/false);
}

void Synchronizer::Abandon() {
  absl::MutexLock lock(&mutex_);
  state_ = State::kAbandoned;
}

ktstr::v1::SynchronizeRequest Synchronizer::MakeRequest() {
  ktstr::v1::SynchronizeRequest request;
  request.set_host_id(options_.host_id);
  request.set_incarnation(options_.incarnation);
  *request.mutable_context() = options_.context;
  request.set_cpus(options_.cpus);
  request.set_memory_mib(options_.memory_mib);
  request.set_unusable_reason(options_.unusable_reason);
  *request.mutable_max_wait() = ToProtoDuration(options_.max_wait);
  {
    absl::MutexLock lock(&mutex_);
    // What happens from here on is news for the next call.
    has_finished_news_ = false;
    has_phase_news_ = false;
    if (state_ != State::kServing) {
      request.set_unusable_reason("hostd is shutting down");
    }
  }
  attempts_->Describe(&request);
  return request;
}

bool Synchronizer::AwaitCall(Call* call) {
  bool is_cut = AwaitNews(call);
  // Outside the lock: this may run the callback, which takes it.
  if (is_cut) call->context.TryCancel();
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&call->is_done));
  return is_cut;
}

bool Synchronizer::AwaitNews(Call* call) {
  auto must_end = [this, call] {
    mutex_.AssertReaderHeld();
    return call->is_done || state_ == State::kAbandoned;
  };
  auto is_urgent = [this, &must_end] {
    mutex_.AssertReaderHeld();
    return must_end() || has_finished_news_;
  };
  auto is_any = [this, &is_urgent] {
    mutex_.AssertReaderHeld();
    return is_urgent() || has_phase_news_;
  };
  // An answer that is cut off may carry leases, which are lost then: a call
  // with results is answered at once, any other when something can be placed.
  bool has_results = !call->request.finished().empty();
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&must_end),
                          has_results ? options_.max_wait : kUncut);
  mutex_.AwaitWithTimeout(absl::Condition(&is_urgent), options_.phase_interval);
  mutex_.Await(absl::Condition(&is_any));
  return !call->is_done;
}

void Synchronizer::Pause(absl::Duration pause, bool ends_with_news) {
  absl::MutexLock lock(&mutex_);
  State before = state_;
  auto is_over = [&] {
    mutex_.AssertReaderHeld();
    return state_ != before || (ends_with_news && has_finished_news_);
  };
  mutex_.AwaitWithTimeout(absl::Condition(&is_over), pause);
}

bool Synchronizer::IsDrained() const {
  {
    absl::MutexLock lock(&mutex_);
    if (state_ != State::kDraining) return false;
  }
  if (attempts_->IsEmpty()) return true;
  return attempts_->IsIdle() && is_up_ != true &&
         RealClock().Monotonic() - last_success_ > options_.drain_limit;
}

void Synchronizer::NoteConnection(bool is_up, const std::string& words) {
  if (is_up_ == is_up) return;
  is_up_ = is_up;
  if (options_.on_connection) options_.on_connection(words);
}

absl::Status Synchronizer::Run() {
  absl::Duration backoff = options_.min_backoff;
  bool is_first = true;
  last_success_ = RealClock().Monotonic();
  while (!IsDrained()) {
    {
      absl::MutexLock lock(&mutex_);
      if (state_ == State::kAbandoned) {
        return absl::CancelledError("told to leave at once");
      }
    }
    auto call = std::make_shared<Call>();
    call->request = MakeRequest();
    call->context.set_deadline(
        std::chrono::system_clock::now() +
        absl::ToChronoMilliseconds(options_.max_wait + kCallSlack));
    stub_->async()->Synchronize(&call->context, &call->request, &call->response,
                                [this, call](grpc::Status status) {
                                  absl::MutexLock lock(&mutex_);
                                  call->status = std::move(status);
                                  call->is_done = true;
                                });
    bool is_cut = AwaitCall(call.get());
    grpc::StatusCode code = call->status.error_code();
    std::string words = PrintableText(call->status.error_message());
    if (code == grpc::StatusCode::ABORTED) {
      return absl::AbortedError(absl::StrCat("another hostd speaks for host ",
                                             options_.host_id, ": ", words));
    }
    if (code == grpc::StatusCode::INVALID_ARGUMENT) {
      return absl::InvalidArgumentError(
          absl::StrCat("the coordinator refuses this host: ", words));
    }
    if (is_cut && code == grpc::StatusCode::CANCELLED) continue;
    if (code != grpc::StatusCode::OK) {
      NoteConnection(false,
                     absl::StrCat("the coordinator does not answer (", words,
                                  "); results are kept, trying again"));
      Pause(backoff, /*ends_with_news=*/false);
      backoff = std::min(backoff * 2, options_.max_backoff);
      continue;
    }
    backoff = options_.min_backoff;
    last_success_ = RealClock().Monotonic();
    NoteConnection(true, "the coordinator answers");
    attempts_->Reconcile(call->response);
    if (options_.on_shells && !call->response.shells().empty()) {
      options_.on_shells(call->response.shells());
    }
    if (std::exchange(is_first, false)) {
      // An introduction is answered at once; what follows may be held.
      if (options_.on_first_answer) options_.on_first_answer();
    } else if (SaysNothing(call->response)) {
      Pause(kIdlePause, /*ends_with_news=*/true);
    }
  }
  return absl::OkStatus();
}

}  // namespace ktstr::hostd
