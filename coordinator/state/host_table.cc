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
  return in_use;
}

HostView HostEntry::View() const {
  HostView view = {.host_id = host_id,
                   .cpus = cpus,
                   .free_cpus = cpus - CpusInUse(),
                   .memory_mib = memory_mib,
                   .free_memory_mib = memory_mib};
  for (const auto& [run, index] : leases) {
    view.free_memory_mib -=
        MemoryTaken(run->variants()[index].record.memory_mib, memory_mib);
  }
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
