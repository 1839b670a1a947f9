// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_DECLARED_TOPOLOGY_H_
#define KTSTR_KTSTR_DECLARED_TOPOLOGY_H_

#include <optional>

namespace ktstr {

// Each field that is not set falls back to the scheduler's declaration, and
// then to its default.

// Topology of the base run. Whole guest: llcs; per LLC: cores; per core:
// threads.
struct DeclaredTopology {
  std::optional<int> numa_nodes;  // default 1
  std::optional<int> llcs;        // default 1
  std::optional<int> cores;       // default 2
  std::optional<int> threads;     // default 1

  constexpr DeclaredTopology Or(const DeclaredTopology& below) const {
    return {.numa_nodes = numa_nodes ? numa_nodes : below.numa_nodes,
            .llcs = llcs ? llcs : below.llcs,
            .cores = cores ? cores : below.cores,
            .threads = threads ? threads : below.threads};
  }
  static constexpr DeclaredTopology Defaults() {
    return {.numa_nodes = 1, .llcs = 1, .cores = 2, .threads = 1};
  }
};

// One NUMA node of a machine that is not uniform.
struct NodeDef {
  int llcs = 0;  // 0: memory only, as of CXL; after all nodes with LLCs
  int memory_mib = 0;
  // As the nearest node with CPUs sees its memory. 0: 100 ns and 51,200 MB/s,
  // memory-only nodes 300 ns and 20,480 MB/s.
  int latency_ns = 0;
  int bandwidth_mbps = 0;
  int memory_side_cache_mib = 0;  // 0: none

  friend constexpr bool operator==(const NodeDef&, const NodeDef&) = default;
};

// Which presets a test expands over.
struct DeclaredConstraints {
  std::optional<int> min_numa_nodes;  // default 1
  std::optional<int> max_numa_nodes;  // default 1
  std::optional<int> min_llcs;        // default 1
  std::optional<int> max_llcs;        // default 12
  std::optional<int> min_cpus;        // default 1
  std::optional<int> max_cpus;        // default 192
  std::optional<bool> requires_smt;   // default false

  constexpr DeclaredConstraints Or(const DeclaredConstraints& below) const {
    return {.min_numa_nodes =
                min_numa_nodes ? min_numa_nodes : below.min_numa_nodes,
            .max_numa_nodes =
                max_numa_nodes ? max_numa_nodes : below.max_numa_nodes,
            .min_llcs = min_llcs ? min_llcs : below.min_llcs,
            .max_llcs = max_llcs ? max_llcs : below.max_llcs,
            .min_cpus = min_cpus ? min_cpus : below.min_cpus,
            .max_cpus = max_cpus ? max_cpus : below.max_cpus,
            .requires_smt = requires_smt ? requires_smt : below.requires_smt};
  }
  static constexpr DeclaredConstraints Defaults() {
    return {.min_numa_nodes = 1,
            .max_numa_nodes = 1,
            .min_llcs = 1,
            .max_llcs = 12,
            .min_cpus = 1,
            .max_cpus = 192,
            .requires_smt = false};
  }
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_DECLARED_TOPOLOGY_H_
