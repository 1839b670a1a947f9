// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_TOPOLOGY_H_
#define KTSTR_KTSTR_TOPOLOGY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/topology.h"

namespace ktstr {

// CPUs sharing one last-level cache: the highest level present.
struct Llc {
  // The cache's id, or the lowest CPU sharing it where sysfs has no id.
  int id = 0;
  int node = 0;
  std::vector<int> cpus;  // ascending
  std::optional<int64_t> cache_kib;
  // Core id -> its hardware threads, ascending.
  std::map<int, std::vector<int>> cores;
};

struct NumaNode {
  int id = 0;
  std::vector<int> cpus;  // ascending; empty for a memory-only node
  std::optional<int64_t> total_kib;
  std::optional<int64_t> free_kib;
  // One entry per node, in the order of nodes().
  std::vector<int> distances;

  bool is_memory_only() const { return cpus.empty() && total_kib.value_or(0); }
};

// The machine a test runs on, as its kernel describes it. Ask this, never the
// system, so that the same code runs against any machine.
class GuestTopology {
 public:
  // Reads a directory tree of the form of /sys/devices/system. Without cache
  // information every CPU is in one LLC; without nodes there is node 0.
  //
  // Errors:
  //   InvalidArgument  a file does not parse; the message names it.
  //   others           cpu/online cannot be read.
  static absl::StatusOr<GuestTopology> Read(
      const std::string& root = "/sys/devices/system");

  // What a declaration promises; memory is unknown.
  static GuestTopology FromDeclared(const Topology& declared);

  int total_cpus() const { return static_cast<int>(all_cpus_.size()); }
  int num_llcs() const { return static_cast<int>(llcs_.size()); }
  int num_nodes() const { return static_cast<int>(nodes_.size()); }

  // Online CPUs, ascending.
  const std::vector<int>& all_cpus() const { return all_cpus_; }
  // all_cpus() without the last one when there are more than two: cpusets that
  // are fractions of the machine leave it to the test itself.
  std::vector<int> usable_cpus() const;

  // Ordered by id, which need not be CPU order.
  const std::vector<Llc>& llcs() const { return llcs_; }
  // Ordered by id.
  const std::vector<NumaNode>& nodes() const { return nodes_; }

  // Empty for an index or id that does not exist.
  std::vector<int> cpus_in_llc(int index) const;
  std::vector<int> cpus_of_node(int id) const;
  const NumaNode* find_node(int id) const;

  // `n` sets of max(1, trunc(T/n)) of all T CPUs, each beginning where the one
  // before it has `overlap` (rounded up) of its CPUs left, at least one CPU
  // further on; beyond the last CPU they go on with the first. Ascending each.
  // T = 12, n = 3, overlap 0.5: 0-3, 2-5, 4-7.
  std::vector<std::vector<int>> wrapping_windows(int n, double overlap) const;

  // Ids of the nodes of the LLCs that hold any of `cpus`, ascending.
  std::vector<int> nodes_of(absl::Span<const int> cpus) const;

  // 255 when either id is unknown.
  int distance(int from, int to) const;

 private:
  GuestTopology() = default;

  std::vector<int> all_cpus_;
  std::vector<Llc> llcs_;
  std::vector<NumaNode> nodes_;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_TOPOLOGY_H_
