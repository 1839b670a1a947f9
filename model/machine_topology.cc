// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/machine_topology.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

constexpr int64_t kMaxNodeMib = int64_t{1} << 22;  // 4 TiB
constexpr int kMaxDistance = 254;
// What an unsigned 16-bit entry of an HMAT holds; 0 and 0xFFFF mean "unknown".
constexpr int kMaxEntry = 65534;
constexpr int kBandwidthUnits[] = {1, 10, 100, 1000};
constexpr int64_t kMaxBandwidthMbps = int64_t{kMaxEntry} * 1000;

constexpr int kDramLatencyNs = 100;
constexpr int kFarLatencyNs = 300;
constexpr int kDramBandwidthMbps = 51200;
constexpr int kFarBandwidthMbps = 20480;

constexpr int64_t kMaxCacheKib = int64_t{4} << 20;
constexpr int kMaxWays = 1024;
constexpr int64_t kMaxSideCacheMib = int64_t{1} << 22;
constexpr int kMaxSideCacheLine = 65535;

template <typename... Parts>
absl::Status Refuse(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("machine: ", parts...));
}

absl::Status CheckCache(absl::string_view name, const CacheGeometry& cache) {
  if (cache.line_bytes != 32 && cache.line_bytes != 64 &&
      cache.line_bytes != 128) {
    return Refuse("the line of cache ", name, " is ", cache.line_bytes,
                  " bytes, accepted are 32, 64 and 128");
  }
  if (cache.ways < 1 || cache.ways > kMaxWays) {
    return Refuse("cache ", name, " has ", cache.ways,
                  " ways, accepted are 1 to ", kMaxWays);
  }
  if (cache.size_kib < 1 || cache.size_kib > kMaxCacheKib) {
    return Refuse("cache ", name, " has ", cache.size_kib,
                  " KiB, accepted are 1 to ", kMaxCacheKib);
  }
  if (cache.size_kib * 1024 % (int64_t{cache.ways} * cache.line_bytes) != 0) {
    return Refuse("cache ", name, " of ", cache.size_kib,
                  " KiB is no whole number of sets of ", cache.ways,
                  " ways of ", cache.line_bytes, " bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckCaches(const CpuCaches& caches) {
  ABSL_RETURN_IF_ERROR(CheckCache("l1d", caches.l1d));
  ABSL_RETURN_IF_ERROR(CheckCache("l1i", caches.l1i));
  ABSL_RETURN_IF_ERROR(CheckCache("l2", caches.l2));
  return CheckCache("l3", caches.l3);
}

absl::Status CheckNode(int index, const DeclaredNode& node) {
  if (node.llcs < 0 || node.llcs > Topology::kMaxCpus) {
    return Refuse("node ", index, " has ", node.llcs,
                  " LLCs, accepted are 0 to ", Topology::kMaxCpus);
  }
  if (node.memory_mib < 1 || node.memory_mib > kMaxNodeMib) {
    return Refuse("node ", index, " has ", node.memory_mib,
                  " MiB of memory, accepted are 1 to ", kMaxNodeMib);
  }
  if (node.latency_ns &&
      (*node.latency_ns < 1 || *node.latency_ns > kMaxEntry)) {
    return Refuse("node ", index, " has a latency of ", *node.latency_ns,
                  " ns, accepted are 1 to ", kMaxEntry);
  }
  if (node.bandwidth_mbps &&
      (*node.bandwidth_mbps < 1 || *node.bandwidth_mbps > kMaxBandwidthMbps)) {
    return Refuse("node ", index, " has a bandwidth of ", *node.bandwidth_mbps,
                  " MB/s, accepted are 1 to ", kMaxBandwidthMbps);
  }
  if (!node.memory_side_cache) return absl::OkStatus();
  const MemorySideCache& cache = *node.memory_side_cache;
  if (cache.size_mib < 1 || cache.size_mib > kMaxSideCacheMib) {
    return Refuse("the memory-side cache of node ", index, " has ",
                  cache.size_mib, " MiB, accepted are 1 to ", kMaxSideCacheMib);
  }
  if (cache.line_bytes < 1 || cache.line_bytes > kMaxSideCacheLine) {
    return Refuse("the line of the memory-side cache of node ", index, " is ",
                  cache.line_bytes, " bytes, accepted are 1 to ",
                  kMaxSideCacheLine);
  }
  return absl::OkStatus();
}

std::vector<DeclaredNode> UniformNodes(const Topology& topology,
                                       int64_t memory_mib) {
  std::vector<DeclaredNode> nodes(topology.nodes());
  for (int llc = 0; llc < topology.llcs(); ++llc) {
    ++nodes[topology.NodeOfLlc(llc)].llcs;
  }
  const int64_t share = memory_mib / topology.nodes();
  for (DeclaredNode& node : nodes) node.memory_mib = share;
  nodes.back().memory_mib = memory_mib - share * (topology.nodes() - 1);
  return nodes;
}

// A matrix of attributes: `rows` by `columns`, each value 1 to `most`.
absl::Status CheckMatrix(absl::string_view name,
                         const std::vector<std::vector<int>>& matrix, int rows,
                         int columns, int64_t most) {
  if (matrix.empty()) return absl::OkStatus();
  if (int(matrix.size()) != rows) {
    return Refuse(name, " has ", matrix.size(), " rows; needed are ", rows,
                  ", one for each node with CPUs");
  }
  for (int row = 0; row < rows; ++row) {
    if (int(matrix[row].size()) != columns) {
      return Refuse(name, " has ", matrix[row].size(), " values in row ", row,
                    "; needed are ", columns, ", one for each node");
    }
    for (int column = 0; column < columns; ++column) {
      if (matrix[row][column] < 1 || matrix[row][column] > most) {
        return Refuse(name, " from node ", row, " to node ", column, " is ",
                      matrix[row][column], ", accepted are 1 to ", most);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

MachineTopology::MachineTopology()
    : MachineTopology(Topology(), 256, MachineDetails()) {
  nodes_ = UniformNodes(topology_, memory_mib_);
  node_of_llc_ = {0};
}

MachineTopology::MachineTopology(const Topology& topology, int64_t memory_mib,
                                 MachineDetails details)
    : topology_(topology),
      memory_mib_(memory_mib),
      details_(std::move(details)) {}

absl::StatusOr<MachineTopology> MachineTopology::Create(
    const Topology& topology, int64_t memory_mib, MachineDetails details) {
  if (memory_mib < 1) {
    return Refuse("has ", memory_mib, " MiB of memory, needs at least 1");
  }
  MachineTopology machine(topology, memory_mib, std::move(details));
  ABSL_RETURN_IF_ERROR(CheckCaches(machine.details_.caches));
  ABSL_RETURN_IF_ERROR(machine.PlaceNodes());
  ABSL_RETURN_IF_ERROR(machine.CheckDistances());
  ABSL_RETURN_IF_ERROR(machine.CheckMemory());
  ABSL_RETURN_IF_ERROR(machine.ChooseBandwidthUnit());
  return machine;
}

absl::Status MachineTopology::CheckListedNodes() const {
  if (details_.nodes.size() > kMaxListedNodes) {
    return Refuse(details_.nodes.size(),
                  " nodes are listed, accepted are at most ", kMaxListedNodes);
  }
  int with_cpus = 0;
  int64_t llcs = 0, memory_mib = 0;
  for (int i = 0; i < int(details_.nodes.size()); ++i) {
    const DeclaredNode& node = details_.nodes[i];
    ABSL_RETURN_IF_ERROR(CheckNode(i, node));
    if (node.llcs > 0 && with_cpus < i) {
      return Refuse("node ", i, " has LLCs and node ", i - 1,
                    " has none; list memory-only nodes last, because kernels "
                    "number nodes with CPUs first");
    }
    with_cpus += node.llcs > 0;
    llcs += node.llcs;
    memory_mib += node.memory_mib;
  }
  if (with_cpus != topology_.nodes()) {
    return Refuse(with_cpus, " nodes with LLCs are listed, topology ",
                  topology_.ToString(), " has ", topology_.nodes());
  }
  if (llcs != topology_.llcs()) {
    return Refuse("its nodes have ", llcs, " LLCs together, topology ",
                  topology_.ToString(), " has ", topology_.llcs());
  }
  if (memory_mib != memory_mib_) {
    return Refuse("the memory of its nodes adds up to ", memory_mib,
                  " MiB, it has ", memory_mib_);
  }
  return absl::OkStatus();
}

absl::Status MachineTopology::PlaceNodes() {
  if (details_.nodes.empty()) {
    nodes_ = UniformNodes(topology_, memory_mib_);
  } else {
    ABSL_RETURN_IF_ERROR(CheckListedNodes());
    nodes_ = details_.nodes;
  }
  for (int node = 0; node < node_count(); ++node) {
    node_of_llc_.insert(node_of_llc_.end(), nodes_[node].llcs, node);
  }
  return absl::OkStatus();
}

absl::Status MachineTopology::CheckDistances() const {
  const auto& matrix = details_.distances;
  if (matrix.empty()) return absl::OkStatus();
  if (int(matrix.size()) != node_count()) {
    return Refuse("distances have ", matrix.size(), " rows; needed are ",
                  node_count(), ", one for each node");
  }
  for (int from = 0; from < node_count(); ++from) {
    if (int(matrix[from].size()) != node_count()) {
      return Refuse("distances have ", matrix[from].size(), " values in row ",
                    from, "; needed are ", node_count(), ", one for each node");
    }
  }
  for (int from = 0; from < node_count(); ++from) {
    for (int to = 0; to < node_count(); ++to) {
      const int distance = matrix[from][to];
      if (from == to && distance != kLocalDistance) {
        return Refuse("the distance of node ", from, " to itself is ", distance,
                      ", it must be ", kLocalDistance);
      }
      if (from != to &&
          (distance <= kLocalDistance || distance > kMaxDistance)) {
        return Refuse("the distance from node ", from, " to node ", to, " is ",
                      distance, ", accepted are ", kLocalDistance + 1, " to ",
                      kMaxDistance);
      }
      if (distance != matrix[to][from]) {
        return Refuse("the distance from node ", from, " to node ", to, " is ",
                      distance, " and back ", matrix[to][from],
                      ", they must be equal");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status MachineTopology::CheckMemory() const {
  if (node_count() > kMaxListedNodes &&
      (!details_.latency_ns.empty() || !details_.bandwidth_mbps.empty())) {
    return Refuse("latency and bandwidth can be declared for at most ",
                  kMaxListedNodes, " nodes, it has ", node_count());
  }
  ABSL_RETURN_IF_ERROR(CheckMatrix("latency_ns", details_.latency_ns,
                                   cpu_nodes(), node_count(), kMaxEntry));
  ABSL_RETURN_IF_ERROR(CheckMatrix("bandwidth_mbps", details_.bandwidth_mbps,
                                   cpu_nodes(), node_count(),
                                   kMaxBandwidthMbps));
  for (int from = 0; has_memory_attributes() && from < cpu_nodes(); ++from) {
    for (int to = 0; to < node_count(); ++to) {
      if (ExactLatencyNs(from, to) > kMaxEntry) {
        return Refuse("the latency from node ", from, " to node ", to,
                      " would be ", ExactLatencyNs(from, to),
                      " ns by their distance, accepted are at most ",
                      kMaxEntry);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status MachineTopology::ChooseBandwidthUnit() {
  if (!has_memory_attributes()) return absl::OkStatus();
  int64_t most = 1;
  for (int from = 0; from < cpu_nodes(); ++from) {
    for (int to = 0; to < node_count(); ++to) {
      most = std::max(most, ExactBandwidthMbps(from, to));
    }
  }
  for (int unit : kBandwidthUnits) {
    bandwidth_unit_ = unit;
    if (most <= int64_t{unit} * kMaxEntry) break;
  }
  auto check = [&](int64_t declared) {
    if (declared % bandwidth_unit_ == 0) return absl::OkStatus();
    return Refuse("a bandwidth of ", declared,
                  " MB/s cannot be told beside one of ", most,
                  ": all must be multiples of ", bandwidth_unit_);
  };
  for (const auto& row : details_.bandwidth_mbps) {
    for (int value : row) ABSL_RETURN_IF_ERROR(check(value));
  }
  if (!details_.bandwidth_mbps.empty()) return absl::OkStatus();
  for (const DeclaredNode& node : nodes_) {
    if (node.bandwidth_mbps) ABSL_RETURN_IF_ERROR(check(*node.bandwidth_mbps));
  }
  return absl::OkStatus();
}

CpuPlace MachineTopology::PlaceOf(int cpu) const {
  CpuPlace place = topology_.PlaceOf(cpu);
  place.node = NodeOfLlc(place.llc);
  return place;
}

std::vector<int> MachineTopology::CpusOfNode(int node) const {
  std::vector<int> cpus;
  for (int cpu = 0; cpu < topology_.cpus(); ++cpu) {
    if (PlaceOf(cpu).node == node) cpus.push_back(cpu);
  }
  return cpus;
}

int MachineTopology::Distance(int from, int to) const {
  if (!details_.distances.empty()) return details_.distances[from][to];
  return from == to ? kLocalDistance : kRemoteDistance;
}

int MachineTopology::NearestCpuNode(int node) const {
  if (node < cpu_nodes()) return node;
  int nearest = 0;
  for (int other = 1; other < cpu_nodes(); ++other) {
    if (Distance(other, node) < Distance(nearest, node)) nearest = other;
  }
  return nearest;
}

bool MachineTopology::has_memory_attributes() const {
  if (node_count() > kMaxListedNodes) return false;
  if (!details_.latency_ns.empty() || !details_.bandwidth_mbps.empty()) {
    return true;
  }
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [](const DeclaredNode& node) {
                       return node.llcs == 0 || node.latency_ns ||
                              node.bandwidth_mbps || node.memory_side_cache;
                     });
}

int64_t MachineTopology::ExactLatencyNs(int initiator, int target) const {
  if (!details_.latency_ns.empty()) {
    return details_.latency_ns[initiator][target];
  }
  const DeclaredNode& node = nodes_[target];
  const int64_t distance = Distance(initiator, target);
  if (node.latency_ns) {
    return std::max<int64_t>(1, *node.latency_ns * distance /
                                    Distance(NearestCpuNode(target), target));
  }
  return (node.llcs > 0 ? kDramLatencyNs : kFarLatencyNs) * distance /
         kLocalDistance;
}

int64_t MachineTopology::ExactBandwidthMbps(int initiator, int target) const {
  if (!details_.bandwidth_mbps.empty()) {
    return details_.bandwidth_mbps[initiator][target];
  }
  const DeclaredNode& node = nodes_[target];
  const int64_t distance = Distance(initiator, target);
  if (node.bandwidth_mbps) {
    return int64_t{*node.bandwidth_mbps} *
           Distance(NearestCpuNode(target), target) / distance;
  }
  return (node.llcs > 0 ? kDramBandwidthMbps : kFarBandwidthMbps) *
         kLocalDistance / distance;
}

int MachineTopology::LatencyNs(int initiator, int target) const {
  return int(ExactLatencyNs(initiator, target));
}

int MachineTopology::BandwidthMbps(int initiator, int target) const {
  const int64_t whole =
      ExactBandwidthMbps(initiator, target) / bandwidth_unit_ * bandwidth_unit_;
  return int(std::max<int64_t>(whole, bandwidth_unit_));
}

}  // namespace ktstr
