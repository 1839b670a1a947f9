// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_PLACEMENT_POLICY_H_
#define KTSTR_COORDINATOR_PLACEMENT_POLICY_H_

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace ktstr::coordinator {

// A host as placement sees it.
struct HostView {
  std::string host_id;
  int cpus = 0;
  int free_cpus = 0;
  int64_t memory_mib = 0;
  int64_t free_memory_mib = 0;
  // Whether it can be given a lease now; others only count as alternatives.
  bool can_take = false;
};

// A variant that waits for a host.
struct Waiting {
  int64_t run = 0;  // number of the run, smaller is older
  int64_t index = 0;
  int cpus = 0;
  int64_t memory_mib = 0;
  // Hosts on which attempts of it went missing.
  std::vector<std::string> avoid;
};

// A variant given to a host; both by position in the call's arguments.
struct Assignment {
  size_t waiting = 0;
  size_t host = 0;
};

// CPUs of a variant that runs alone on its host, whichever it is.
inline constexpr int kWholeHost = std::numeric_limits<int>::max();

// CPUs and memory a variant takes on a host: all of a host that is smaller.
int CpusTaken(int variant_cpus, int host_cpus);
int64_t MemoryTaken(int64_t variant_mib, int64_t host_mib);

// Decides what runs where. Passive: no thread, no lock, no clock; called under
// its owner's mutex.
class PlacementPolicy {
 public:
  virtual ~PlacementPolicy() = default;

  // Gives waiting variants to hosts with room, each variant at most once. The
  // hosts' free figures are those before the call.
  virtual std::vector<Assignment> Place(absl::Span<const Waiting> waiting,
                                        absl::Span<const HostView> hosts) = 0;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_PLACEMENT_POLICY_H_
