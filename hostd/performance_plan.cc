// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/performance_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ktstr::hostd {
namespace {

// CPUs of one host core, ascending.
using Core = std::vector<int>;

struct HostLlc {
  int node = 0;
  // In order of their lowest CPU.
  std::vector<Core> cores;
};

// In order of their lowest CPU.
std::vector<HostLlc> GroupByLlc(absl::Span<const HostCpu> host) {
  std::map<int, std::map<int, Core>> llcs;
  std::map<int, int> node_of_llc;
  for (const HostCpu& cpu : host) {
    llcs[cpu.llc][cpu.core].push_back(cpu.cpu);
    node_of_llc.emplace(cpu.llc, cpu.node);
  }
  std::vector<HostLlc> groups;
  for (auto& [llc, cores] : llcs) {
    HostLlc& group = groups.emplace_back();
    group.node = node_of_llc[llc];
    for (auto& [first, core] : cores) {
      std::sort(core.begin(), core.end());
      group.cores.push_back(std::move(core));
    }
  }
  return groups;
}

// The cores of `llc` with as many threads as a guest core, as many as a guest
// LLC has; empty when there are fewer.
std::vector<Core> CoresFor(const Topology& guest, const HostLlc& llc) {
  std::vector<Core> fitting;
  for (const Core& core : llc.cores) {
    if (core.size() >= size_t(guest.threads_per_core())) {
      fitting.push_back(core);
    }
  }
  const size_t wanted = guest.cores_per_llc();
  fitting.resize(fitting.size() < wanted ? 0 : wanted);
  return fitting;
}

// Positions in `llcs` of those that can hold a guest LLC.
std::vector<size_t> FittingLlcs(const Topology& guest,
                                const std::vector<HostLlc>& llcs) {
  std::vector<size_t> fitting;
  for (size_t i = 0; i < llcs.size(); ++i) {
    if (!CoresFor(guest, llcs[i]).empty()) fitting.push_back(i);
  }
  return fitting;
}

struct Placement {
  // Position of the host LLC of each guest LLC.
  std::vector<size_t> llcs;
  // Host node of each guest node; empty: guest nodes follow no host nodes.
  std::vector<int> nodes;
};

int LlcsOfNode(const Topology& guest, int node) {
  int count = 0;
  for (int llc = 0; llc < guest.llcs(); ++llc) {
    count += guest.NodeOfLlc(llc) == node;
  }
  return count;
}

// A host node of its own for each guest node.
std::optional<Placement> PlaceByNode(const Topology& guest,
                                     const std::vector<HostLlc>& llcs,
                                     const std::vector<size_t>& fitting) {
  std::map<int, std::vector<size_t>> free;
  for (size_t llc : fitting) free[llcs[llc].node].push_back(llc);
  Placement placement;
  for (int node = 0; node < guest.nodes(); ++node) {
    const size_t wanted = LlcsOfNode(guest, node);
    auto found = std::find_if(free.begin(), free.end(), [&](const auto& entry) {
      return entry.second.size() >= wanted;
    });
    if (found == free.end()) return std::nullopt;
    placement.nodes.push_back(found->first);
    placement.llcs.insert(placement.llcs.end(), found->second.begin(),
                          found->second.begin() + wanted);
    free.erase(found);
  }
  return placement;
}

// The first CPU of a core that no vCPU uses.
std::optional<int> ServiceCpu(const std::vector<HostLlc>& llcs,
                              const std::set<int>& used) {
  for (const HostLlc& llc : llcs) {
    for (const Core& core : llc.cores) {
      if (!used.contains(core.front())) return core.front();
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<PerformanceSpec> PlanPerformance(
    const Topology& topology, absl::Span<const HostCpu> host) {
  const std::vector<HostLlc> llcs = GroupByLlc(host);
  const std::vector<size_t> fitting = FittingLlcs(topology, llcs);
  if (fitting.size() < size_t(topology.llcs())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "performance mode: ", topology.llcs(),
        " host LLCs are needed, each with ", topology.cores_per_llc(),
        " cores of at least ", topology.threads_per_core(),
        " threads; this host has ", fitting.size(), " such of ", llcs.size()));
  }
  Placement placement = {
      .llcs = {fitting.begin(), fitting.begin() + topology.llcs()}};
  if (auto by_node = PlaceByNode(topology, llcs, fitting)) {
    placement = *std::move(by_node);
  }
  PerformanceSpec spec = {.memory_nodes = std::move(placement.nodes)};
  // The first CPU of every used core: a core is used or not as a whole.
  std::set<int> used;
  for (size_t llc : placement.llcs) {
    for (const Core& core : CoresFor(topology, llcs[llc])) {
      used.insert(core.front());
      spec.vcpu_cpus.insert(spec.vcpu_cpus.end(), core.begin(),
                            core.begin() + topology.threads_per_core());
    }
  }
  const std::optional<int> service = ServiceCpu(llcs, used);
  if (!service) {
    return absl::FailedPreconditionError(absl::StrCat(
        "performance mode: one host core beside the ", used.size(),
        " of the guest is needed for the threads that serve it; this host has ",
        used.size()));
  }
  spec.service_cpu = *service;
  return spec;
}

}  // namespace ktstr::hostd
