// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/run_watch.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "ktstrctl/fleet_client.h"
#include "proto/fleet.pb.h"

namespace ktstr::ktstrctl {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

// The coordinator answered, and what it said will not change.
bool IsFinal(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsInvalidArgument(status) ||
         absl::IsUnimplemented(status) || absl::IsPermissionDenied(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunWatch>> RunWatch::Start(FleetClient* client,
                                                          std::string run_id) {
  UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<RunWatch>(
      new RunWatch(client, std::move(run_id), std::move(event)));
}

RunWatch::RunWatch(FleetClient* client, std::string run_id, UniqueFd event)
    : client_(client),
      run_id_(std::move(run_id)),
      event_(std::move(event)),
      thread_("watch", [this] { Run(); }) {}

RunWatch::~RunWatch() {
  {
    absl::MutexLock lock(&mutex_);
    is_stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  thread_.Join();
}

void RunWatch::Tell() {
  uint64_t one = 1;
  ssize_t ignored = write(event_.get(), &one, sizeof(one));
  (void)ignored;  // full means that it is readable, which is all we want
}

RunWatch::News RunWatch::Take() {
  absl::MutexLock lock(&mutex_);
  uint64_t count = 0;
  ssize_t ignored = read(event_.get(), &count, sizeof(count));
  (void)ignored;  // empty is fine
  News news;
  news.batches = std::exchange(batches_, {});
  news.is_over = is_over_;
  news.status = status_;
  news.trouble = trouble_;
  return news;
}

void RunWatch::Run() {
  absl::Duration pause = kFirstPause;
  while (true) {
    int64_t before;
    {
      absl::MutexLock lock(&mutex_);
      if (is_stopping_) return;
      before = version_;
    }
    if (WatchOnce()) return;
    absl::MutexLock lock(&mutex_);
    pause =
        version_ != before ? kFirstPause : std::min(pause * 2, kLongestPause);
    mutex_.AwaitWithTimeout(absl::Condition(&is_stopping_), pause);
  }
}

bool RunWatch::WatchOnce() {
  grpc::ClientContext context;
  int64_t after_version;
  {
    absl::MutexLock lock(&mutex_);
    if (is_stopping_) return true;
    context_ = &context;
    after_version = version_;
  }
  bool is_finished = false;
  absl::Status status = client_->WatchRun(
      &context, run_id_, after_version, [&](const v1::WatchRunResponse& batch) {
        absl::MutexLock lock(&mutex_);
        version_ = batch.version();
        trouble_.clear();
        is_finished = batch.run().is_finished();
        batches_.push_back(batch);
        Tell();
      });
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  if (is_stopping_) return true;
  is_over_ = is_finished || IsFinal(status);
  status_ = is_finished ? absl::OkStatus() : status;
  if (!is_over_ && !status.ok()) trouble_ = std::string(status.message());
  Tell();
  return is_over_;
}

}  // namespace ktstr::ktstrctl
