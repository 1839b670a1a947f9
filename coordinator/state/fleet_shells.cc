// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The part of a fleet that gives shells to hosts.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "coordinator/placement/budget.h"
#include "coordinator/state/fleet.h"

namespace ktstr::coordinator {
namespace {

constexpr size_t kMaxShellsPerHost = 4;

}  // namespace

absl::Status Fleet::CheckShellRoomLocked(const HostEntry& host,
                                         int64_t memory_mib) {
  const std::string name = absl::StrCat("host ", host.host_id);
  if (!IsAliveLocked(host)) {
    return absl::UnavailableError(
        host.has_called
            ? absl::StrCat(
                  name, " is lost: no call for ",
                  absl::FormatDuration(clock_.Monotonic() - host.last_seen))
            : absl::StrCat(name,
                           " has not called since the coordinator started"));
  }
  if (!host.unusable_reason.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " takes no guests: ", host.unusable_reason));
  }
  if (host.RunsAlone()) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, " runs a test that needs all of it; try again"));
  }
  if (memory_mib > host.memory_mib) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " has ", host.memory_mib, " MiB for guests, the ",
                     "shell wants ", memory_mib));
  }
  if (memory_mib > host.FreeMemoryMib()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        name, " has ", std::max<int64_t>(host.FreeMemoryMib(), 0), " of ",
        host.memory_mib, " MiB free now, the shell wants ", memory_mib));
  }
  if (host.shells.size() >= kMaxShellsPerHost) {
    return absl::ResourceExhaustedError(absl::StrCat(
        name, " has ", host.shells.size(), " shells, which is the limit"));
  }
  return absl::OkStatus();
}

absl::StatusOr<HostEntry*> Fleet::ChooseShellHostLocked(
    const v1::ShellRequest& request) {
  auto& hosts = hosts_.all();
  if (!request.host_id().empty()) {
    auto named = hosts.find(request.host_id());
    if (named == hosts.end()) {
      std::vector<std::string> known;
      for (const auto& [id, host] : hosts) {
        if (known.size() < 10) known.push_back(id);
      }
      return absl::NotFoundError(absl::StrCat(
          "no host \"", request.host_id(), "\"; ",
          known.empty() ? "none has called yet"
                        : absl::StrCat("there are ", absl::StrJoin(known, ", "),
                                       hosts.size() > 10 ? ", ..." : "")));
    }
    ABSL_RETURN_IF_ERROR(
        CheckShellRoomLocked(named->second, request.memory_mib()));
    return &named->second;
  }
  HostEntry* best = nullptr;
  absl::Status why = absl::UnavailableError("no host is connected");
  for (auto& [id, host] : hosts) {
    absl::Status room = CheckShellRoomLocked(host, request.memory_mib());
    if (!room.ok()) {
      why = room;
    } else if (best == nullptr ||
               host.cpus - host.CpusInUse() > best->cpus - best->CpusInUse()) {
      best = &host;
    }
  }
  if (best == nullptr) return why;
  return best;
}

absl::StatusOr<std::string> Fleet::PlaceShell(const std::string& token,
                                              const v1::ShellRequest& request,
                                              int cpus) {
  absl::MutexLock lock(&mutex_);
  ABSL_ASSIGN_OR_RETURN(HostEntry * host, ChooseShellHostLocked(request));
  ShellEntry& shell = host->shells[token];
  shell.cpus = cpus;
  shell.memory_mib = request.memory_mib();
  shell.lease.set_token(token);
  *shell.lease.mutable_request() = request;
  Budget budget =
      BudgetFor({.vcpus = cpus,
                 .host_cpus = host->cpus,
                 .is_emulated = host->context.host_class() == "emulated",
                 .guest_mips = host->context.guest_mips()});
  *shell.lease.mutable_boot_timeout() = ToProtoDuration(budget.boot);
  if (host->call != nullptr) host->OfferShells(*host->call);
  return host->host_id;
}

void Fleet::AttachShell(const std::string& host_id, const std::string& token) {
  absl::MutexLock lock(&mutex_);
  HostEntry* host = hosts_.FindOrAdd(host_id);
  if (host == nullptr) return;
  auto shell = host->shells.find(token);
  if (shell != host->shells.end()) shell->second.is_attached = true;
}

void Fleet::EndShell(const std::string& host_id, const std::string& token) {
  // What waits for the room gets it.
  Transact([&](Transaction& transaction) {
    mutex_.AssertHeld();
    HostEntry* host = hosts_.FindOrAdd(host_id);
    if (host == nullptr || host->shells.erase(token) == 0) {
      return absl::OkStatus();
    }
    return PlaceLocked(transaction);
  }).IgnoreError();
}

}  // namespace ktstr::coordinator
