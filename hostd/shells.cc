// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/shells.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace ktstr::hostd {

Shells::Shells(ktstr::v1::Shells::StubInterface* stub, Runner runner)
    : stub_(stub), runner_(std::move(runner)) {}

Shells::~Shells() {
  StopAll();
  decltype(entries_) entries;
  absl::ReleasableMutexLock lock(&mutex_);
  auto are_finished = [this] {
    mutex_.AssertReaderHeld();
    return std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
      return entry.second->is_finished;
    });
  };
  mutex_.Await(absl::Condition(&are_finished));
  // The threads are on their way out: join them without the mutex.
  entries.swap(entries_);
  lock.Release();
}

void Shells::Reconcile(
    const google::protobuf::RepeatedPtrField<ktstr::v1::ShellLease>& leases) {
  Forget();
  for (const ktstr::v1::ShellLease& lease : leases) Start(lease);
}

void Shells::Forget() {
  std::vector<std::unique_ptr<Entry>> gone;
  absl::MutexLock lock(&mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second->is_finished) {
      gone.push_back(std::move(it->second));
      it = entries_.erase(it);
    } else {
      ++it;
    }
  }
}

void Shells::Start(const ktstr::v1::ShellLease& lease) {
  absl::MutexLock lock(&mutex_);
  if (is_stopped_ || entries_.count(lease.token()) != 0) return;
  auto link = ShellLink::Create();
  if (!link.ok()) {
    spdlog::error("shell: {}", std::string(link.status().message()));
    return;
  }
  auto owned = std::make_unique<Entry>();
  Entry* entry = owned.get();
  entry->link = *std::move(link);
  bool is_too_many = entries_.size() >= kMaxShells;
  entries_[lease.token()] = std::move(owned);
  entry->thread = Thread("shell", [this, entry, lease, is_too_many] {
    entry->link->Attach(stub_, lease.token());
    if (is_too_many) {
      ktstr::v1::ShellOutput output;
      output.mutable_end()->set_kind(ktstr::v1::ShellEnd::FAILED);
      output.mutable_end()->set_message(
          absl::StrCat("this host runs ", kMaxShells, " shells already"));
      entry->link->Send(output);
      entry->link->Close();
      ktstr::v1::ShellInput ignored;
      while (entry->link->Receive(&ignored)) {
      }
    } else {
      runner_(lease, entry->link.get());
    }
    absl::Status status = entry->link->Finish();
    if (!status.ok()) {
      spdlog::info("a shell ended early: {}", std::string(status.message()));
    }
    absl::MutexLock lock(&mutex_);
    entry->is_finished = true;
  });
}

void Shells::StopAll() {
  absl::MutexLock lock(&mutex_);
  is_stopped_ = true;
  for (auto& [token, entry] : entries_) {
    if (!entry->is_finished) entry->link->Stop();
  }
}

}  // namespace ktstr::hostd
