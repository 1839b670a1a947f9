// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/placement/fair_policy.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>

namespace ktstr::coordinator {
namespace {

bool Avoids(const Waiting& variant, const HostView& host) {
  return std::find(variant.avoid.begin(), variant.avoid.end(), host.host_id) !=
         variant.avoid.end();
}

bool HasRoom(const Waiting& variant, const HostView& host) {
  return host.can_take &&
         CpusTaken(variant.cpus, host.cpus) <= host.free_cpus &&
         MemoryTaken(variant.memory_mib, host.memory_mib) <=
             host.free_memory_mib;
}

// Whether a's free share of CPUs exceeds b's.
bool IsFreer(const HostView& a, const HostView& b) {
  return int64_t{a.free_cpus} * b.cpus > int64_t{b.free_cpus} * a.cpus;
}

std::optional<size_t> BestHost(const Waiting& variant,
                               absl::Span<const HostView> hosts) {
  bool has_alternative =
      std::any_of(hosts.begin(), hosts.end(),
                  [&](const HostView& host) { return !Avoids(variant, host); });
  std::optional<size_t> best;
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (!HasRoom(variant, hosts[i])) continue;
    if (has_alternative && Avoids(variant, hosts[i])) continue;
    if (!best.has_value() || IsFreer(hosts[i], hosts[*best])) best = i;
  }
  return best;
}

bool AnyCanTake(absl::Span<const HostView> hosts) {
  return std::any_of(hosts.begin(), hosts.end(), [](const HostView& host) {
    return host.can_take && host.free_cpus > 0;
  });
}

}  // namespace

std::vector<Assignment> FairPolicy::Place(absl::Span<const Waiting> waiting,
                                          absl::Span<const HostView> hosts) {
  std::vector<HostView> room(hosts.begin(), hosts.end());
  std::map<int64_t, std::deque<size_t>> runs;
  for (size_t i = 0; i < waiting.size(); ++i) {
    runs[waiting[i].run].push_back(i);
  }
  std::vector<Assignment> assignments;
  while (!runs.empty() && AnyCanTake(room)) {
    for (auto run = runs.begin(); run != runs.end();) {
      bool was_placed = false;
      while (!was_placed && !run->second.empty()) {
        size_t index = run->second.front();
        run->second.pop_front();
        std::optional<size_t> host = BestHost(waiting[index], room);
        if (!host.has_value()) continue;
        HostView& taken = room[*host];
        taken.free_cpus -= CpusTaken(waiting[index].cpus, taken.cpus);
        taken.free_memory_mib -=
            MemoryTaken(waiting[index].memory_mib, taken.memory_mib);
        assignments.push_back({index, *host});
        was_placed = true;
      }
      run = run->second.empty() ? runs.erase(run) : std::next(run);
    }
  }
  return assignments;
}

}  // namespace ktstr::coordinator
