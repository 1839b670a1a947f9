// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/cpuid.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "vmm/arch/x86_64/apic_id.h"
#include "vmm/arch/x86_64/cpuid_vendor.h"

namespace ktstr::vmm {
namespace {

constexpr uint32_t kLeaf1EcxX2Apic = 1u << 21;
constexpr uint32_t kLeaf1EcxTscDeadline = 1u << 24;
constexpr uint32_t kLeaf1EcxHypervisor = 1u << 31;
constexpr uint32_t kLeaf1EdxHtt = 1u << 28;
constexpr uint32_t kExt1EcxCmpLegacy = 1u << 1;
constexpr uint32_t kExt1EcxTopologyExtensions = 1u << 22;

// KVM's own features, leaf 0x40000001: interrupt messages carry 15 bits of the
// destination. Without it the kernel leaves CPUs with ids above 255 out.
constexpr uint32_t kKvmFeatures = 0x40000001;
constexpr uint32_t kKvmEaxExtendedDestination = 1u << 15;
// KVM_HINTS_REALTIME: no vCPU is preempted for an unlimited time.
constexpr uint32_t kKvmHintsRealtime = 1u << 0;

constexpr uint32_t kMinLeafIntel = 0x1F;
constexpr uint32_t kMinLeafAmd = 0xD;
constexpr uint32_t kMinExtendedLeafAmd = 0x8000001E;
constexpr uint32_t kMaxExtendedLeaf = 0x80000025;
constexpr uint32_t kExtendedTopologyAmd = 0x80000026;

enum CacheType : uint32_t { kData = 1, kInstruction = 2, kUnified = 3 };

// Level types of leaves 0xB and 0x1F, and of 0x80000026.
enum LevelType : uint32_t { kSmt = 1, kCore = 2, kDie = 5 };
enum AmdLevelType : uint32_t {
  kAmdCore = 1,
  kAmdComplex = 2,
  kAmdDie = 3,
  kAmdSocket = 4,
};

struct Cache {
  CacheType type;
  uint32_t level;
  CacheGeometry geometry;
  // APIC id bits below this share the cache.
  int shared_bits;
};

// One subleaf of an extended topology leaf.
struct Level {
  uint32_t type;
  // Of the APIC id, to name the level above.
  int shift;
  // Logical CPUs below one instance of the level above.
  int cpus;
};

// Associativity code of leaf 0x80000006: the highest not above `ways`.
uint32_t AssociativityCode(int ways) {
  constexpr std::pair<int, uint32_t> kCodes[] = {
      {128, 0xE}, {96, 0xD}, {64, 0xC}, {48, 0xB}, {32, 0xA},
      {16, 0x8},  {8, 0x6},  {4, 0x4},  {2, 0x2},  {1, 0x1}};
  for (const auto& [least, code] : kCodes) {
    if (ways >= least) return code;
  }
  return 0;
}

class CpuidEditor {
 public:
  CpuidEditor(CpuidEntries entries, const CpuidOptions& options, int cpu)
      : entries_(std::move(entries)),
        options_(options),
        machine_(options.machine),
        topology_(options.machine.topology()),
        ids_(options.machine),
        place_(options.machine.PlaceOf(cpu)),
        id_(ids_.IdOf(place_)),
        package_cpus_(machine_.llcs_are() == LlcsAre::kPackages
                          ? topology_.cpus_per_llc()
                          : topology_.cpus()) {}

  CpuidEntries Edit() {
    PresentVendor(machine_.cpu_vendor(), entries_);
    is_amd_ = IsAmdShaped(entries_);
    EditBasic();
    EditExtendedTopology();
    is_amd_ ? EditAmd() : EditIntel();
    return std::move(entries_);
  }

 private:
  kvm_cpuid_entry2& At(uint32_t function) {
    return CpuidLeaf(entries_, function);
  }
  void Drop(uint32_t function) { DropCpuidLeaf(entries_, function); }
  void AddIndexed(uint32_t function, uint32_t index, uint32_t eax, uint32_t ebx,
                  uint32_t ecx, uint32_t edx) {
    entries_.push_back({.function = function,
                        .index = index,
                        .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
                        .eax = eax,
                        .ebx = ebx,
                        .ecx = ecx,
                        .edx = edx});
  }

  std::array<Cache, 4> Caches() const {
    const CpuCaches& caches = machine_.caches();
    int core = ids_.thread_bits;
    return {{{kData, 1, caches.l1d, core},
             {kInstruction, 1, caches.l1i, core},
             {kUnified, 2, caches.l2, core},
             {kUnified, 3, caches.l3, ids_.llc_shift()}}};
  }

  void EditBasic() {
    auto& leaf0 = At(0);
    leaf0.eax = std::max(leaf0.eax, is_amd_ ? kMinLeafAmd : kMinLeafIntel);
    auto& leaf1 = At(1);
    uint32_t package_ids = std::min(255u, 1u << ids_.package_shift());
    leaf1.ebx = (leaf1.ebx & 0xFFFF) | package_ids << 16 | (id_ & 0xFF) << 24;
    leaf1.ecx |= kLeaf1EcxX2Apic | kLeaf1EcxHypervisor;
    if (options_.has_tsc_deadline) leaf1.ecx |= kLeaf1EcxTscDeadline;
    leaf1.edx &= ~kLeaf1EdxHtt;
    if (package_cpus_ > 1) leaf1.edx |= kLeaf1EdxHtt;
    if (ids_.HighestId(machine_) > kMaxXapicId) {
      At(kKvmFeatures).eax |= kKvmEaxExtendedDestination;
    }
    if (options_.is_realtime) At(kKvmFeatures).edx |= kKvmHintsRealtime;
    Drop(0xA);
    Drop(0x1A);
  }

  void AddLevels(uint32_t leaf, const std::vector<Level>& levels) {
    Drop(leaf);
    uint32_t index = 0;
    for (const Level& level : levels) {
      AddIndexed(leaf, index, uint32_t(level.shift), uint32_t(level.cpus),
                 level.type << 8 | index, id_);
      ++index;
    }
    AddIndexed(leaf, index, 0, 0, index, id_);
  }

  void EditExtendedTopology() {
    const Level smt = {kSmt, ids_.thread_bits, topology_.threads_per_core()};
    const Level cores = {kCore, ids_.package_shift(), package_cpus_};
    AddLevels(0xB, {smt, cores});
    Drop(0x1F);
    Drop(kExtendedTopologyAmd);
    const bool has_dies = machine_.llcs_are() == LlcsAre::kDies;
    const Level die_cores = {kCore, ids_.llc_shift(), topology_.cpus_per_llc()};
    if (!is_amd_ && has_dies) {
      AddLevels(0x1F,
                {smt, die_cores, {kDie, ids_.package_shift(), package_cpus_}});
    } else if (!is_amd_) {
      AddLevels(0x1F, {smt, cores});
    } else if (has_dies) {
      AddLevels(kExtendedTopologyAmd,
                {{kAmdCore, smt.shift, smt.cpus},
                 {kAmdComplex, die_cores.shift, die_cores.cpus},
                 {kAmdDie, die_cores.shift, die_cores.cpus},
                 {kAmdSocket, ids_.package_shift(), package_cpus_}});
    }
  }

  // Leaf 4 and 0x8000001D have the same form; only leaf 4 counts cores.
  void AddCacheLeaves(uint32_t leaf, uint32_t cores_field) {
    Drop(leaf);
    uint32_t index = 0;
    for (const Cache& cache : Caches()) {
      const CacheGeometry& geometry = cache.geometry;
      uint32_t sharing = std::min(0xFFFu, (1u << cache.shared_bits) - 1);
      AddIndexed(leaf, index++,
                 cache.type | cache.level << 5 | 1u << 8 | sharing << 14 |
                     cores_field << 26,
                 uint32_t(geometry.line_bytes - 1) | uint32_t(geometry.ways - 1)
                                                         << 22,
                 uint32_t(geometry.sets() - 1), 0);
    }
    AddIndexed(leaf, index, 0, 0, 0, 0);
  }

  void EditIntel() {
    uint32_t core_ids = 1u << (ids_.package_shift() - ids_.thread_bits);
    AddCacheLeaves(4, std::min(64u, core_ids) - 1);
    At(0x80000006).ecx = LegacyL2();
  }

  void EditAmd() {
    Drop(4);
    auto& max = At(0x80000000);
    max.eax = std::clamp(max.eax, kMinExtendedLeafAmd, kMaxExtendedLeaf);
    if (machine_.llcs_are() == LlcsAre::kDies) max.eax = kExtendedTopologyAmd;
    auto& features = At(0x80000001);
    features.ecx &= ~kExt1EcxCmpLegacy;
    features.ecx |= kExt1EcxTopologyExtensions;
    if (package_cpus_ > 1) features.ecx |= kExt1EcxCmpLegacy;
    At(0x80000008).ecx = uint32_t(std::min(255, package_cpus_ - 1)) |
                         uint32_t(ids_.package_shift()) << 12;
    EditLegacyCacheLeaves();
    AddCacheLeaves(0x8000001D, 0);
    EditAmdTopology();
  }

  // Size, associativity and line as leaf 0x80000005 tells them, as near as its
  // fields allow.
  static uint32_t LegacyL1(const CacheGeometry& cache) {
    return uint32_t(std::min<int64_t>(255, cache.size_kib)) << 24 |
           uint32_t(std::min(254, cache.ways)) << 16 | 1 << 8 |
           uint32_t(cache.line_bytes);
  }
  uint32_t LegacyL2() const {
    const CacheGeometry& cache = machine_.caches().l2;
    return uint32_t(std::min<int64_t>(0xFFFF, cache.size_kib)) << 16 |
           AssociativityCode(cache.ways) << 12 | 1 << 8 |
           uint32_t(cache.line_bytes);
  }

  void EditLegacyCacheLeaves() {
    const CpuCaches& caches = machine_.caches();
    auto& l1 = At(0x80000005);
    l1.ecx = LegacyL1(caches.l1d);
    l1.edx = LegacyL1(caches.l1i);
    auto& outer = At(0x80000006);
    outer.ecx = LegacyL2();
    outer.edx = uint32_t(std::min<int64_t>(0x3FFF, caches.l3.size_kib / 512))
                    << 18 |
                AssociativityCode(caches.l3.ways) << 12 | 1 << 8 |
                uint32_t(caches.l3.line_bytes);
  }

  void EditAmdTopology() {
    Drop(0x8000001E);
    // Three bits hold the number of nodes of a package; more are told by SRAT
    // alone. An LLC that is a package lies on one node.
    const bool is_one_package = machine_.llcs_are() != LlcsAre::kPackages;
    const bool fits = !is_one_package || machine_.cpu_nodes() <= 8;
    const uint32_t node = fits ? uint32_t(place_.node) & 0xFF : 0;
    const uint32_t nodes =
        fits && is_one_package ? uint32_t(machine_.cpu_nodes()) : 1;
    const uint32_t package_mask = (1u << ids_.package_shift()) - 1;
    auto& leaf = At(0x8000001E);
    leaf.eax = id_;
    leaf.ebx = ((id_ & package_mask) >> ids_.thread_bits & 0xFF) |
               uint32_t(topology_.threads_per_core() - 1) << 8;
    leaf.ecx = node | (nodes - 1) << 8;
  }

  CpuidEntries entries_;
  const CpuidOptions& options_;
  const MachineTopology& machine_;
  const Topology& topology_;
  const ApicIdLayout ids_;
  const CpuPlace place_;
  const uint32_t id_;
  const int package_cpus_;
  bool is_amd_ = false;
};

}  // namespace

CpuidEntries BuildCpuid(const CpuidEntries& host, const CpuidOptions& options,
                        int cpu) {
  return CpuidEditor(host, options, cpu).Edit();
}

}  // namespace ktstr::vmm
