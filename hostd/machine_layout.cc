// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/machine_layout.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::hostd {

absl::StatusOr<MachineDetails> ReadMachineLayout(
    const ktstr::v1::VariantSpec& variant, const Topology& topology) {
  MachineDetails details;
  if (!variant.has_machine()) return details;
  const ktstr::v1::MachineLayout& layout = variant.machine();
  if (variant.performance_mode()) {
    return absl::InvalidArgumentError(
        "nodes are listed for a machine on dedicated hardware; accepted is one "
        "or the other");
  }
  const int count = layout.nodes_size();
  if (count > MachineTopology::kMaxListedNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat(count, " nodes are listed, accepted are at most ",
                     MachineTopology::kMaxListedNodes));
  }
  for (const ktstr::v1::MachineNode& from : layout.nodes()) {
    DeclaredNode& node = details.nodes.emplace_back();
    node.llcs = from.llcs();
    node.memory_mib = from.memory_mib();
    if (from.latency_ns() != 0) node.latency_ns = from.latency_ns();
    if (from.bandwidth_mbps() != 0) node.bandwidth_mbps = from.bandwidth_mbps();
    if (from.memory_side_cache_mib() != 0) {
      node.memory_side_cache =
          MemorySideCache{.size_mib = from.memory_side_cache_mib()};
    }
  }
  if (layout.distances_size() != 0 &&
      layout.distances_size() != count * count) {
    return absl::InvalidArgumentError(
        absl::StrCat(layout.distances_size(), " distances of ", count,
                     " nodes; accepted are none or ", count * count));
  }
  for (int i = 0; i < layout.distances_size(); ++i) {
    if (i % count == 0) details.distances.emplace_back();
    details.distances.back().push_back(layout.distances(i));
  }
  ABSL_RETURN_IF_ERROR(
      MachineTopology::Create(topology, variant.memory_mib(), details)
          .status());
  return details;
}

}  // namespace ktstr::hostd
