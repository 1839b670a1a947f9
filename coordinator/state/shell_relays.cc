// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/state/shell_relays.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace ktstr::coordinator {

void ShellRelay::OpenClient(RelaySink<v1::ShellOutput>::Write write,
                            Cancel cancel) {
  client_.Open(std::move(write));
  MutexLock lock(&mutex_);
  cancel_client_ = std::move(cancel);
}

void ShellRelay::SetHost(std::string host_id) {
  MutexLock lock(&mutex_);
  host_id_ = std::move(host_id);
}

std::string ShellRelay::host_id() {
  MutexLock lock(&mutex_);
  return host_id_;
}

absl::Status ShellRelay::AwaitHost(absl::Duration timeout) {
  MutexLock lock(&mutex_);
  mutex_.AwaitFor(timeout, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return state_ != State::kWaiting || is_stopped_;
  });
  if (is_stopped_) {
    state_ = State::kAbandoned;
    return absl::UnavailableError("the coordinator is stopping");
  }
  if (state_ == State::kAttached) return absl::OkStatus();
  state_ = State::kAbandoned;
  return absl::UnavailableError(absl::StrCat(
      "host ", host_id_, " did not take up the shell within ",
      absl::FormatDuration(timeout), "; is its hostd of this version?"));
}

void ShellRelay::CloseClient() {
  {
    MutexLock lock(&mutex_);
    if (!has_ended_ && state_ == State::kAttached) {
      // A client that does not read must not hold up the host's thread.
      if (cancel_client_) cancel_client_();
      if (cancel_host_) cancel_host_();
    }
    if (state_ == State::kWaiting) state_ = State::kAbandoned;
    cancel_client_ = nullptr;
  }
  client_.Close();
}

absl::Status ShellRelay::OpenHost(RelaySink<v1::ShellInput>::Write write,
                                  Cancel cancel) {
  MutexLock lock(&mutex_);
  // The host may be faster than whoever notes that it was told.
  mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return state_ != State::kWaiting || !host_id_.empty();
  });
  if (state_ != State::kWaiting || is_stopped_) {
    return absl::NotFoundError("nobody waits for this shell any more");
  }
  host_.Open(std::move(write));
  state_ = State::kAttached;
  cancel_host_ = std::move(cancel);
  return absl::OkStatus();
}

void ShellRelay::SendToClient(const v1::ShellOutput& output) {
  {
    MutexLock lock(&mutex_);
    if (has_ended_) return;
    // Before the client can know: its going away is in order from here on.
    has_ended_ = output.has_end();
  }
  client_.Send(output);
}

void ShellRelay::CloseHost() {
  v1::ShellOutput lost;
  lost.mutable_end()->set_kind(v1::ShellEnd::FAILED);
  lost.mutable_end()->set_message(
      absl::StrCat("host ", host_id(), " was lost, and the guest with it"));
  SendToClient(lost);
  {
    MutexLock lock(&mutex_);
    cancel_host_ = nullptr;
  }
  host_.Close();
}

void ShellRelay::Stop() {
  MutexLock lock(&mutex_);
  is_stopped_ = true;
  if (cancel_client_) cancel_client_();
  if (cancel_host_) cancel_host_();
}

absl::StatusOr<std::shared_ptr<ShellRelay>> ShellRelays::Add(
    const std::string& token) {
  MutexLock lock(&mutex_);
  if (is_stopped_) {
    return absl::UnavailableError("the coordinator is stopping");
  }
  auto relay = std::make_shared<ShellRelay>();
  relays_[token] = relay;
  return relay;
}

std::shared_ptr<ShellRelay> ShellRelays::Find(const std::string& token) {
  MutexLock lock(&mutex_);
  auto found = relays_.find(token);
  return found == relays_.end() ? nullptr : found->second;
}

void ShellRelays::Remove(const std::string& token) {
  MutexLock lock(&mutex_);
  relays_.erase(token);
}

void ShellRelays::Stop() {
  std::vector<std::shared_ptr<ShellRelay>> all;
  {
    MutexLock lock(&mutex_);
    is_stopped_ = true;
    for (const auto& [token, relay] : relays_) all.push_back(relay);
  }
  for (const std::shared_ptr<ShellRelay>& relay : all) relay->Stop();
}

}  // namespace ktstr::coordinator
