// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/hmat.h"

#include <cstdint>
#include <functional>

#include "vmm/arch/x86_64/acpi_table.h"

namespace ktstr::vmm {
namespace {

enum StructureType : uint16_t { kProximity = 0, kLocality = 1, kCache = 2 };
// Of a locality structure.
enum DataType : uint8_t { kAccessLatency = 0, kAccessBandwidth = 3 };

constexpr uint32_t kProximityBytes = 40;
constexpr uint32_t kLocalityBytes = 32;
constexpr uint32_t kCacheBytes = 32;
constexpr uint16_t kInitiatorIsValid = 1;
// Base units: picoseconds, and MB/s.
constexpr uint64_t kNanosecond = 1000;

// Cache attributes (table 5.147).
constexpr int kTotalLevelsShift = 0;
constexpr int kLevelShift = 4;
constexpr int kAssociativityShift = 8;
constexpr int kWritePolicyShift = 12;
constexpr int kLineShift = 16;
constexpr uint32_t kDirectMapped = 1;
constexpr uint32_t kComplexIndexing = 2;
constexpr uint32_t kWriteBack = 1;
constexpr uint32_t kWriteThrough = 2;

void AddProximity(TableWriter& out, int initiator, int memory) {
  out.U16(kProximity).U16(0).U32(kProximityBytes).U16(kInitiatorIsValid).U16(0);
  out.U32(uint32_t(initiator)).U32(uint32_t(memory)).U32(0).U64(0).U64(0);
}

void AddLocality(TableWriter& out, int initiators,
                 const std::vector<int>& targets, DataType type, uint64_t unit,
                 const std::function<uint16_t(int, int)>& entry) {
  const auto rows = uint32_t(initiators), columns = uint32_t(targets.size());
  out.U16(kLocality).U16(0);
  out.U32(kLocalityBytes + 4 * rows + 4 * columns + 2 * rows * columns);
  out.U8(0).U8(type).U8(0).U8(0);  // main memory, no minimal transfer
  out.U32(rows).U32(columns).U32(0).U64(unit);
  for (uint32_t row = 0; row < rows; ++row) out.U32(row);
  for (int target : targets) out.U32(uint32_t(target));
  for (uint32_t row = 0; row < rows; ++row) {
    for (int target : targets) out.U16(entry(int(row), target));
  }
}

void AddCache(TableWriter& out, int memory, const MemorySideCache& cache) {
  const uint32_t indexing =
      cache.indexing == MemorySideCache::Indexing::kDirectMapped
          ? kDirectMapped
          : kComplexIndexing;
  const uint32_t policy =
      cache.write_policy == MemorySideCache::WritePolicy::kWriteBack
          ? kWriteBack
          : kWriteThrough;
  out.U16(kCache).U16(0).U32(kCacheBytes).U32(uint32_t(memory)).U32(0);
  out.U64(uint64_t(cache.size_mib) << 20);
  out.U32(1u << kTotalLevelsShift | 1u << kLevelShift |
          indexing << kAssociativityShift | policy << kWritePolicyShift |
          uint32_t(cache.line_bytes) << kLineShift);
  out.U16(0).U16(0);
}

}  // namespace

std::vector<std::byte> BuildHmat(const MachineTopology& machine) {
  AcpiTable table("HMAT", 2);
  TableWriter& out = table.out();
  out.U32(0);
  std::vector<int> targets;
  for (int node = 0; node < machine.node_count(); ++node) {
    if (machine.nodes()[node].memory_mib > 0) targets.push_back(node);
  }
  // Before the localities: kernels look up the initiator while reading them.
  for (int node : targets) {
    AddProximity(out, machine.NearestCpuNode(node), node);
  }
  AddLocality(out, machine.cpu_nodes(), targets, kAccessLatency, kNanosecond,
              [&](int from, int to) { return machine.LatencyNs(from, to); });
  const int unit = machine.bandwidth_unit_mbps();
  AddLocality(
      out, machine.cpu_nodes(), targets, kAccessBandwidth, uint64_t(unit),
      [&](int from, int to) { return machine.BandwidthMbps(from, to) / unit; });
  for (int node : targets) {
    const auto& cache = machine.nodes()[node].memory_side_cache;
    if (cache) AddCache(out, node, *cache);
  }
  return table.Finish();
}

}  // namespace ktstr::vmm
