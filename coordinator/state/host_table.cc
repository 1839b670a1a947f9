// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/state/host_table.h"

#include <algorithm>

namespace ktstr::coordinator {
namespace {

constexpr size_t kMaxSuperseded = 64;

}  // namespace

bool HostEntry::IsSuperseded(const std::string& other) const {
  return std::find(superseded.begin(), superseded.end(), other) !=
         superseded.end();
}

void HostEntry::Supersede(std::string next) {
  if (!incarnation.empty()) superseded.push_back(std::move(incarnation));
  if (superseded.size() > kMaxSuperseded) superseded.pop_front();
  incarnation = std::move(next);
  calls = 0;
  revoked.clear();
}

int HostEntry::CpusInUse() const {
  int in_use = 0;
  for (const auto& [run, index] : leases) {
    in_use += CpusTaken(run->variants()[index].record.cpus, cpus);
  }
  for (const auto& [token, shell] : shells) {
    in_use += CpusTaken(shell.cpus, cpus);
  }
  return in_use;
}

bool HostEntry::RunsAlone() const {
  return std::any_of(leases.begin(), leases.end(), [](const auto& lease) {
    return lease.first->variants()[lease.second].record.cpus == kWholeHost;
  });
}

int64_t HostEntry::FreeMemoryMib() const {
  int64_t free = memory_mib;
  for (const auto& [run, index] : leases) {
    free -= MemoryTaken(run->variants()[index].record.memory_mib, memory_mib);
  }
  for (const auto& [token, shell] : shells) free -= shell.memory_mib;
  return free;
}

void HostEntry::OfferShells(HeldCall& answer) {
  answer.response.clear_shells();
  for (const auto& [token, shell] : shells) {
    if (!shell.is_attached) *answer.response.add_shells() = shell.lease;
  }
  if (!answer.response.shells().empty()) answer.Finish(absl::OkStatus());
}

HostView HostEntry::View() const {
  HostView view = {.host_id = host_id,
                   .cpus = cpus,
                   .free_cpus = std::max(cpus - CpusInUse(), 0),
                   .memory_mib = memory_mib,
                   .free_memory_mib = FreeMemoryMib()};
  view.can_take = call != nullptr && !call->is_gone();
  return view;
}

HostEntry* HostTable::FindOrAdd(const std::string& host_id) {
  auto it = hosts_.find(host_id);
  if (it == hosts_.end()) {
    if (hosts_.size() == kMaxHosts) return nullptr;
    it = hosts_.try_emplace(host_id).first;
    it->second.host_id = host_id;
  }
  return &it->second;
}

}  // namespace ktstr::coordinator
