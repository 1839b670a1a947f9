// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/run_follower.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ktstrctl/embedded_fleet.h"
#include "ktstrctl/fleet_client.h"
#include "ktstrctl/run_watch.h"
#include "proto/fleet.pb.h"
#include "results/report.h"

namespace ktstr::ktstrctl {
namespace {

// How often the clocks in the status area move.
constexpr int kRedrawMilliseconds = 500;

}  // namespace

absl::StatusOr<std::unique_ptr<RunFollower>> RunFollower::Create(
    const Options& options, std::string run_id) {
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cancel) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<RunFollower>(
      new RunFollower(options, std::move(run_id), std::move(cancel)));
}

RunFollower::RunFollower(const Options& options, std::string run_id,
                         UniqueFd cancel)
    : options_(options),
      run_id_(std::move(run_id)),
      cancel_(std::move(cancel)),
      run_(std::make_unique<v1::Run>()) {}

RunFollower::~RunFollower() { canceller_.Join(); }

void RunFollower::RequestCancel() {
  uint64_t one = 1;
  ssize_t ignored = write(cancel_.get(), &one, sizeof(one));
  (void)ignored;  // full means that it was asked already
}

absl::Status RunFollower::Follow() {
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<RunWatch> watch,
                        RunWatch::Start(options_.client, run_id_));
  for (bool is_over = false; !is_over;) {
    ABSL_RETURN_IF_ERROR(Step(*watch, is_over));
  }
  return absl::OkStatus();
}

// Waits for one of: news, a request to cancel, the end of an embedded child,
// time to redraw.
absl::Status RunFollower::Step(RunWatch& watch, bool& is_over) {
  std::vector<pollfd> waited = {
      {.fd = watch.fd(), .events = POLLIN, .revents = 0},
      {.fd = cancel_.get(), .events = POLLIN, .revents = 0}};
  if (options_.fleet != nullptr) {
    for (int pidfd : options_.fleet->pidfds()) {
      waited.push_back({.fd = pidfd, .events = POLLIN, .revents = 0});
    }
  }
  if (poll(waited.data(), waited.size(), kRedrawMilliseconds) < 0 &&
      errno != EINTR) {
    return absl::ErrnoToStatus(errno, "poll");
  }
  if (waited[1].revents != 0) StartCancelling();
  ABSL_RETURN_IF_ERROR(TakeNews(watch, is_over));
  if (is_over || options_.fleet == nullptr) return absl::OkStatus();
  if (std::string ended = options_.fleet->WhatEnded(); !ended.empty()) {
    is_over = true;
    return GiveUp(was_cancelled_ ? v1::CANCELLED : v1::MISS, ended);
  }
  if (was_cancelled_ &&
      options_.clock->Monotonic() - cancelled_at_ > options_.cancel_patience) {
    is_over = true;
    return GiveUp(v1::CANCELLED, "hostd did not confirm the cancellation");
  }
  return absl::OkStatus();
}

absl::Status RunFollower::TakeNews(RunWatch& watch, bool& is_over) {
  RunWatch::News news = watch.Take();
  for (const v1::WatchRunResponse& batch : news.batches) {
    ABSL_RETURN_IF_ERROR(TakeBatch(batch));
  }
  TellTrouble(news.trouble);
  options_.progress->Redraw();
  is_over = news.is_over;
  if (!is_over) return absl::OkStatus();
  return Annotate(news.status, absl::StrCat("run ", run_id_));
}

void RunFollower::TellTrouble(const std::string& trouble) {
  if (trouble == told_trouble_) return;
  options_.progress->Note(
      trouble.empty() ? absl::StrCat("coordinator is back")
                      : absl::StrCat(trouble, "; the run goes on, waiting"));
  told_trouble_ = trouble;
}

absl::Status RunFollower::TakeBatch(const v1::WatchRunResponse& batch) {
  *run_ = batch.run();
  options_.progress->SetTotal(batch.run().counts().total());
  for (const v1::Variant& variant : batch.changed()) {
    ABSL_RETURN_IF_ERROR(Settle(variant));
  }
  return absl::OkStatus();
}

absl::Status RunFollower::Settle(const v1::Variant& variant) {
  v1::Variant& kept = variants_[variant.index()];
  if (kept.state() == v1::DONE) return absl::OkStatus();
  kept = variant;
  if (kept.state() == v1::DONE) {
    ABSL_RETURN_IF_ERROR(options_.results->Add(kept));
    if (!results::NeedsReport(kept)) {
      // On disk; a long run would fill the memory.
      kept.mutable_result()->clear_console_tail();
      kept.mutable_result()->clear_scheduler_log_tail();
      kept.mutable_result()->clear_test_log_tail();
      kept.mutable_result()->clear_kernel_log_tail();
      kept.mutable_result()->clear_sched_ext_dump();
    }
  }
  options_.progress->Update(kept);
  return absl::OkStatus();
}

absl::Status RunFollower::GiveUp(int outcome, const std::string& reason) {
  trouble_ = reason;
  options_.progress->Note(reason);
  // What the stream had no time to say, when the coordinator still answers.
  absl::StatusOr<v1::GetRunResponse> last = options_.client->GetRun(run_id_);
  if (last.ok()) {
    *run_ = last->run();
    for (const v1::Variant& variant : last->variants()) {
      ABSL_RETURN_IF_ERROR(Settle(variant));
    }
  }
  for (auto& [index, kept] : variants_) {
    if (kept.state() == v1::DONE) continue;
    v1::Variant settled = kept;
    settled.set_state(v1::DONE);
    settled.mutable_result()->set_outcome(static_cast<v1::Outcome>(outcome));
    settled.mutable_result()->set_reason(reason);
    ABSL_RETURN_IF_ERROR(Settle(settled));
  }
  return absl::OkStatus();
}

void RunFollower::StartCancelling() {
  uint64_t count = 0;
  ssize_t ignored = read(cancel_.get(), &count, sizeof(count));
  (void)ignored;  // empty is fine
  if (was_cancelled_) return;
  was_cancelled_ = true;
  cancelled_at_ = options_.clock->Monotonic();
  options_.progress->Note(
      "cancelling; once more to leave without waiting for the hosts");
  canceller_ = Thread("cancel", [this] {
    // When it fails the patience of Step(), or a second Ctrl-C, ends the wait.
    options_.client->CancelRun(run_id_).IgnoreError();
  });
}

std::vector<const v1::Variant*> RunFollower::variants() const {
  std::vector<const v1::Variant*> all;
  for (const auto& [index, variant] : variants_) all.push_back(&variant);
  return all;
}

v1::RunCounts RunFollower::Counts() const {
  v1::RunCounts counts;
  for (const auto& [index, variant] : variants_) {
    counts.set_total(counts.total() + 1);
    switch (variant.result().outcome()) {
      case v1::PASS:
        counts.set_passed(counts.passed() + 1);
        break;
      case v1::FAIL:
        counts.set_failed(counts.failed() + 1);
        break;
      case v1::ERROR:
        counts.set_errors(counts.errors() + 1);
        break;
      case v1::MISS:
        counts.set_missed(counts.missed() + 1);
        break;
      case v1::SKIP:
        counts.set_skipped(counts.skipped() + 1);
        break;
      case v1::CANCELLED:
        counts.set_cancelled(counts.cancelled() + 1);
        break;
      default:
        counts.set_pending(counts.pending() + 1);
    }
  }
  return counts;
}

}  // namespace ktstr::ktstrctl
