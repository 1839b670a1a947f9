// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_MODEL_PERFORMANCE_SPEC_H_
#define KTSTR_MODEL_PERFORMANCE_SPEC_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace ktstr {

// Hardware that belongs to one guest alone, as long as it runs: each vCPU on a
// host CPU of its own in a real-time class, RAM in huge pages, no exit for
// PAUSE and HLT, and the guest told that its CPUs are never preempted
// (KVM_HINTS_REALTIME).
//
// Shape: as text, the object {"vcpu_cpus": [N, ...], "service_cpu": N,
//        "memory_nodes": [N, ...]}; the last key may be absent.
struct PerformanceSpec {
  // Host CPU of each vCPU, by guest CPU number.
  std::vector<int> vcpu_cpus;
  // Host CPU of every other thread of the machine.
  int service_cpu = 0;
  // Host NUMA node for the memory of each guest node; empty: wherever.
  std::vector<int> memory_nodes;

  friend bool operator==(const PerformanceSpec&,
                         const PerformanceSpec&) = default;
};

// One CPU for each of `vcpus`, none named twice, the service CPU none of them;
// a host node for each of `nodes` or none at all.
//
// Errors: InvalidArgument saying what is wrong and what is accepted.
absl::Status CheckPerformanceSpec(const PerformanceSpec& spec, int vcpus,
                                  int nodes);

// Errors: InvalidArgument for an unknown key or a wrong type.
absl::StatusOr<PerformanceSpec> ReadPerformanceSpec(
    const nlohmann::json& value);
nlohmann::json PerformanceSpecJson(const PerformanceSpec& spec);

}  // namespace ktstr

#endif  // KTSTR_MODEL_PERFORMANCE_SPEC_H_
