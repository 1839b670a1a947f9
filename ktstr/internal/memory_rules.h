// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_MEMORY_RULES_H_
#define KTSTR_KTSTR_INTERNAL_MEMORY_RULES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ktstr/memory_policy.h"
#include "ktstr/topology.h"

namespace ktstr::internal {

// Whether `policy` fits a work group whose cgroup has the cpuset `cpus`; unset:
// no cpuset, and only the policy itself is looked at. A check of what the
// author means: the kernel would take more, because nobody writes cpuset.mems.
//
// Errors: InvalidArgument naming the nodes that are missing and what to do.
absl::Status CheckMemoryPolicy(const MemPolicy& policy,
                               const std::optional<std::vector<int>>& cpus,
                               const GuestTopology& topology);

// Nodes the pages of such a group belong on, ascending: the policy's own, else
// those of the cpuset's CPUs; none when neither is known.
std::vector<int> ExpectedNodes(const MemPolicy& policy,
                               const std::optional<std::vector<int>>& cpus,
                               const GuestTopology& topology);

// Makes `policy` the calling thread's; set_mempolicy(2).
//
// Returns what went wrong, "" when nothing did.
std::string ApplyMemoryPolicy(const MemPolicy& policy);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_MEMORY_RULES_H_
