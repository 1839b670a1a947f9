// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_MODEL_MACHINE_TOPOLOGY_H_
#define KTSTR_MODEL_MACHINE_TOPOLOGY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/topology.h"

namespace ktstr {

// One cache as a CPU describes it: size = ways * line * sets.
struct CacheGeometry {
  int64_t size_kib = 0;
  int ways = 0;
  int line_bytes = 64;

  int64_t sets() const {
    return size_kib * 1024 / (int64_t{ways} * line_bytes);
  }
  friend bool operator==(const CacheGeometry&, const CacheGeometry&) = default;
};

// The caches every CPU sees, whatever the host has: L1 and L2 belong to a core,
// L3 to an LLC.
struct CpuCaches {
  CacheGeometry l1d = {.size_kib = 32, .ways = 8};
  CacheGeometry l1i = {.size_kib = 32, .ways = 8};
  CacheGeometry l2 = {.size_kib = 512, .ways = 8};
  CacheGeometry l3 = {.size_kib = 16 * 1024, .ways = 16};

  friend bool operator==(const CpuCaches&, const CpuCaches&) = default;
};

// Whose CPUID leaves and signature a guest sees.
enum class CpuVendor { kHost, kIntel, kAmd };

// What an LLC is to the layers above it.
enum class LlcsAre {
  kGroups,    // CCX-like: one package, one die; caches alone tell LLCs apart
  kDies,      // dies of one package
  kPackages,  // a package each
};

// Memory used as a cache in front of a node's own (ACPI 6.5, 5.2.28.5).
struct MemorySideCache {
  enum class Indexing { kDirectMapped, kComplex };
  enum class WritePolicy { kWriteBack, kWriteThrough };

  int64_t size_mib = 0;
  int line_bytes = 64;
  Indexing indexing = Indexing::kDirectMapped;
  WritePolicy write_policy = WritePolicy::kWriteBack;

  friend bool operator==(const MemorySideCache&,
                         const MemorySideCache&) = default;
};

// One NUMA node. Without LLCs it is a memory-only node, such as CXL memory.
struct DeclaredNode {
  int llcs = 0;
  int64_t memory_mib = 0;
  // Of the node's memory as its nearest node with CPUs sees it (itself, if it
  // has any); for others in proportion to their distance. Unset: see
  // MachineTopology.
  std::optional<int> latency_ns;
  std::optional<int> bandwidth_mbps;
  std::optional<MemorySideCache> memory_side_cache;

  friend bool operator==(const DeclaredNode&, const DeclaredNode&) = default;
};

// What may be said of a machine beyond its NnNlNcNt and its memory. The default
// says nothing.
struct MachineDetails {
  // Empty: the topology's nodes, LLCs and memory spread evenly. Else nodes with
  // CPUs first (kernels number them so), as many as the topology has, their
  // LLCs adding up to its LLCs; then memory-only nodes; memory adding up to the
  // machine's.
  std::vector<DeclaredNode> nodes;
  // Row: from. 10 on the diagonal, 11 to 254 elsewhere, symmetric. Empty: 20.
  std::vector<std::vector<int>> distances;
  // Row: initiator, a node with CPUs. Column: target, any node. Empty: from the
  // nodes and distances.
  std::vector<std::vector<int>> latency_ns;
  std::vector<std::vector<int>> bandwidth_mbps;
  CpuCaches caches;
  CpuVendor cpu_vendor = CpuVendor::kHost;
  LlcsAre llcs_are = LlcsAre::kGroups;

  friend bool operator==(const MachineDetails&,
                         const MachineDetails&) = default;
};

// A whole machine: which CPU, cache and memory belongs where, and how far apart
// they are. Valid once constructed.
//
// Shape: CPUs are numbered as in Topology; nodes take LLCs in order. A node
//        whose latency is not declared has 100 ns, 300 ns for a memory-only
//        node, times distance / 10; bandwidth 51,200 and 20,480 MB/s times 10 /
//        distance.
class MachineTopology {
 public:
  static constexpr int kLocalDistance = 10;
  static constexpr int kRemoteDistance = 20;
  // Nodes one can list: what Linux for x86-64 numbers by default. A uniform
  // topology may have more, then without memory attributes.
  static constexpr int kMaxListedNodes = 64;

  // One node, one CPU, 256 MiB.
  MachineTopology();

  // Errors:
  //   InvalidArgument  a rule of MachineDetails is broken, or a cache is none:
  //                    line of 32, 64 or 128 bytes, 1 to 1,024 ways, a whole
  //                    number of sets, at most 4 GiB; the message says which
  //                    one, where, and what is accepted.
  static absl::StatusOr<MachineTopology> Create(const Topology& topology,
                                                int64_t memory_mib,
                                                MachineDetails details = {});

  const Topology& topology() const { return topology_; }
  int cpus() const { return topology_.cpus(); }
  int64_t memory_mib() const { return memory_mib_; }
  const CpuCaches& caches() const { return details_.caches; }
  CpuVendor cpu_vendor() const { return details_.cpu_vendor; }
  LlcsAre llcs_are() const { return details_.llcs_are; }

  // Every node, listed or not; memory-only ones last.
  absl::Span<const DeclaredNode> nodes() const { return nodes_; }
  int node_count() const { return int(nodes_.size()); }
  // Nodes with CPUs are 0 to cpu_nodes() - 1.
  int cpu_nodes() const { return topology_.nodes(); }

  // REQUIRES for all below: indices inside the machine.
  CpuPlace PlaceOf(int cpu) const;
  int NodeOfLlc(int llc) const { return node_of_llc_[llc]; }
  // Ascending; empty for a memory-only node.
  std::vector<int> CpusOfNode(int node) const;

  int Distance(int from, int to) const;
  // The node with CPUs nearest to `node`: itself, if it has any; else the
  // lowest number among equals.
  int NearestCpuNode(int node) const;

  // Whether latency and bandwidth are told to the guest: something was declared
  // of memory beyond its size, or there is a memory-only node. Else distances
  // say all there is to say.
  bool has_memory_attributes() const;
  // REQUIRES: `initiator` < cpu_nodes().
  int LatencyNs(int initiator, int target) const;
  int BandwidthMbps(int initiator, int target) const;
  // Every bandwidth is a multiple of this: 1, 10, 100 or 1000.
  int bandwidth_unit_mbps() const { return bandwidth_unit_; }

  friend bool operator==(const MachineTopology&,
                         const MachineTopology&) = default;

 private:
  MachineTopology(const Topology& topology, int64_t memory_mib,
                  MachineDetails details);

  // The steps of Create(), in order.
  absl::Status PlaceNodes();
  absl::Status CheckListedNodes() const;
  absl::Status CheckDistances() const;
  absl::Status CheckMemory() const;
  absl::Status ChooseBandwidthUnit();

  int64_t ExactLatencyNs(int initiator, int target) const;
  int64_t ExactBandwidthMbps(int initiator, int target) const;

  Topology topology_;
  int64_t memory_mib_ = 256;
  MachineDetails details_;
  std::vector<DeclaredNode> nodes_;
  std::vector<int> node_of_llc_;
  int bandwidth_unit_ = 1;
};

}  // namespace ktstr

#endif  // KTSTR_MODEL_MACHINE_TOPOLOGY_H_
