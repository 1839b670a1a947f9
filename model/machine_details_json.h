// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// MachineDetails as keys of a JSON object.
//
// Shape: each key is optional, left out when it would say the default.
//          "nodes"           [{"llcs": N, "memory_mib": N, "latency_ns": N,
//                              "bandwidth_mbps": N, "memory_side_cache":
//                              {"size_mib": N, "line_bytes": N, "indexing":
//                               "direct-mapped" or "complex", "write_policy":
//                               "write-back" or "write-through"}}, ...]
//          "distances", "latency_ns", "bandwidth_mbps"  [[N, ...], ...]
//          "caches"          {"l1d" or "l1i" or "l2" or "l3":
//                             {"size_kib": N, "ways": N, "line_bytes": N}}
//          "cpu_vendor"      "host", "intel" or "amd"
//          "llcs_are"        "groups", "dies" or "packages"
#ifndef KTSTR_MODEL_MACHINE_DETAILS_JSON_H_
#define KTSTR_MODEL_MACHINE_DETAILS_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/machine_topology.h"
#include "nlohmann/json.hpp"

namespace ktstr {

// Reads one key of the object. False: the key is not one of these.
//
// Errors: InvalidArgument for an unknown key further down or a wrong type; the
//         message names the key and what is accepted. What the values mean
//         together is MachineTopology::Create's to judge.
absl::StatusOr<bool> ReadMachineDetail(const std::string& key,
                                       const nlohmann::json& value,
                                       MachineDetails& details);

// Adds the keys to `object`.
void WriteMachineDetails(const MachineDetails& details, nlohmann::json& object);

}  // namespace ktstr

#endif  // KTSTR_MODEL_MACHINE_DETAILS_JSON_H_
