// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_STATE_HOST_TABLE_H_
#define KTSTR_COORDINATOR_STATE_HOST_TABLE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/placement/policy.h"
#include "coordinator/state/run_table.h"
#include "proto/hosts.pb.h"

namespace ktstr::coordinator {

// A Synchronize call that waits for something to say. Lives on its handler's
// stack, linked from its HostEntry while it waits.
struct HeldCall {
  v1::SynchronizeResponse response;
  // Why it ends without an answer.
  absl::Status status;
  // Ends the wait.
  bool is_done = false;
  // Signalled together with `is_done`.
  absl::CondVar done;
  // Whether the client has hung up, so that leases would be lost.
  std::function<bool()> is_gone;

  void Finish(absl::Status why) {
    status = std::move(why);
    is_done = true;
    done.Signal();
  }
};

// Orders leases; a run outlives its leases.
using LeaseRef = std::pair<RunEntry*, int64_t>;

// A shell that a host has, or is to take up.
struct ShellEntry {
  v1::ShellLease lease;
  int cpus = 0;
  int64_t memory_mib = 0;
  // Until then the lease is in each answer.
  bool is_attached = false;
};

// A machine that has called, or whose lease was found in the store.
struct HostEntry {
  std::string host_id;
  // Of the last caller; empty when none has called this coordinator.
  std::string incarnation;
  // Older ones, oldest first.
  std::deque<std::string> superseded;
  v1::HostContext context;
  int cpus = 0;
  int64_t memory_mib = 0;
  std::string unusable_reason;
  // On the monotonic clock.
  absl::Duration last_seen;
  // Counts calls of this incarnation from 1.
  int64_t calls = 0;
  // Null between calls.
  HeldCall* call = nullptr;
  std::set<LeaseRef> leases;
  // By token. Their memory is set aside; their CPUs are shared with leases,
  // which get what is left.
  std::map<std::string, ShellEntry> shells;
  // Keys already sent as revoked, so that repeating them is no news.
  std::set<std::tuple<std::string, int64_t, int64_t>> revoked;
  bool has_called = false;

  bool IsSuperseded(const std::string& other) const;
  // Forgets the oldest superseded incarnation beyond a limit.
  void Supersede(std::string next);
  int CpusInUse() const;
  // Whether one of its leases is of kWholeHost.
  bool RunsAlone() const;
  int64_t FreeMemoryMib() const;
  // Puts the shells that have not attached into the call's answer.
  void OfferShells(HeldCall& answer);
  HostView View() const;
};

// Every host, by id.
//
// Threads: passive; called under the mutex of its owner.
class HostTable {
 public:
  // Hosts are never forgotten; this many may call.
  static constexpr size_t kMaxHosts = 20000;

  // Creates it if needed; null when the table is full.
  HostEntry* FindOrAdd(const std::string& host_id);

  std::map<std::string, HostEntry>& all() { return hosts_; }

 private:
  std::map<std::string, HostEntry> hosts_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STATE_HOST_TABLE_H_
