// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/memory_rules.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/status_macros.h"

namespace ktstr::internal {
namespace {

// Modes of include/uapi/linux/mempolicy.h; the headers of older systems lack
// the last.
int KernelMode(MemPolicy::Kind kind) {
  switch (kind) {
    case MemPolicy::Kind::kDefault:
      return 0;
    case MemPolicy::Kind::kPreferred:
      return 1;
    case MemPolicy::Kind::kBind:
      return 2;
    case MemPolicy::Kind::kInterleave:
      return 3;
    case MemPolicy::Kind::kLocal:
      return 4;
    case MemPolicy::Kind::kPreferredMany:
      return 5;
    case MemPolicy::Kind::kWeightedInterleave:
      return 6;
  }
  return 0;
}

std::vector<int> Sorted(std::vector<int> nodes) {
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

std::vector<int> NodesNotIn(const std::vector<int>& nodes,
                            const std::vector<int>& allowed) {
  std::vector<int> missing;
  for (int node : Sorted(nodes)) {
    if (std::find(allowed.begin(), allowed.end(), node) == allowed.end()) {
      missing.push_back(node);
    }
  }
  return missing;
}

std::vector<int> AllNodes(const GuestTopology& topology) {
  std::vector<int> ids;
  for (const NumaNode& node : topology.nodes()) ids.push_back(node.id);
  return ids;
}

// Relative nodes: the n-th of those allowed, starting over behind the last.
std::vector<int> Folded(const std::vector<int>& nodes,
                        const std::vector<int>& allowed) {
  std::vector<int> meant;
  for (int node : nodes) {
    if (!allowed.empty()) meant.push_back(allowed[node % allowed.size()]);
  }
  return Sorted(std::move(meant));
}

}  // namespace

absl::Status CheckMemoryPolicy(const MemPolicy& policy,
                               const std::optional<std::vector<int>>& cpus,
                               const GuestTopology& topology) {
  ABSL_RETURN_IF_ERROR(policy.Validate());
  if (!cpus || policy.nodes.empty()) return absl::OkStatus();
  if (policy.flags.contains(MemFlags::relative_nodes())) {
    return absl::OkStatus();
  }
  if (policy.flags.contains(MemFlags::static_nodes())) {
    std::vector<int> missing = NodesNotIn(policy.nodes, AllNodes(topology));
    if (missing.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("memory policy ", policy.ToString(), ": there is no node ",
                     FormatCpuList(missing), ", the machine has ",
                     FormatCpuList(AllNodes(topology))));
  }
  std::vector<int> missing = NodesNotIn(policy.nodes, topology.nodes_of(*cpus));
  if (missing.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "memory policy ", policy.ToString(), ": node ", FormatCpuList(missing),
      " is none of the cpuset's CPUs ", FormatCpuList(*cpus),
      "; use MemFlags::static_nodes(), or a cpuset with CPUs of it"));
}

std::vector<int> ExpectedNodes(const MemPolicy& policy,
                               const std::optional<std::vector<int>>& cpus,
                               const GuestTopology& topology) {
  if (policy.flags.contains(MemFlags::relative_nodes())) {
    return Folded(policy.nodes, AllNodes(topology));
  }
  if (!policy.nodes.empty()) return Sorted(policy.nodes);
  return cpus ? topology.nodes_of(*cpus) : std::vector<int>();
}

std::string ApplyMemoryPolicy(const MemPolicy& policy) {
  if (policy.kind == MemPolicy::Kind::kDefault) return "";
  constexpr size_t kWordBits = sizeof(unsigned long) * CHAR_BIT;
  unsigned long mask[MemPolicy::kMaxNodes / kWordBits + 1] = {};
  int highest = -1;
  for (int node : policy.nodes) {
    mask[node / kWordBits] |= 1ul << (node % kWordBits);
    highest = std::max(highest, node);
  }
  // The kernel looks at one bit less than it is told.
  const unsigned long bits = highest < 0 ? 0 : highest + 2;
  long result =
      syscall(SYS_set_mempolicy, KernelMode(policy.kind) | policy.flags.bits(),
              highest < 0 ? nullptr : mask, bits);
  if (result == 0) return "";
  return absl::StrCat("memory policy ", policy.ToString(), ": ",
                      strerror(errno));
}

}  // namespace ktstr::internal
