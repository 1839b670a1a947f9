// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/cpuid.h"

#include <algorithm>
#include <array>
#include <utility>

#include "vmm/arch/x86_64/apic_id.h"

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

constexpr uint32_t kMinLeafIntel = 0x1F;
constexpr uint32_t kMinLeafAmd = 0xD;
constexpr uint32_t kMinExtendedLeafAmd = 0x8000001E;
constexpr uint32_t kMaxExtendedLeaf = 0x80000025;

// Family 0x17, model 0x31, stepping 0.
constexpr uint32_t kZen2Signature = 0x00830F10;

constexpr uint32_t kLineBytes = 64;
// Associativity codes of leaf 0x80000006.
constexpr uint32_t kWays8Code = 6;
constexpr uint32_t kWays16Code = 8;

enum CacheType : uint32_t { kData = 1, kInstruction = 2, kUnified = 3 };

struct Cache {
  CacheType type;
  uint32_t level;
  uint32_t kib;
  uint32_t ways;
  // APIC id bits below this share the cache.
  int shared_bits;
};

class CpuidEditor {
 public:
  CpuidEditor(CpuidEntries entries, const CpuidOptions& options, int cpu)
      : entries_(std::move(entries)),
        topology_(options.topology),
        options_(options),
        ids_(options.topology),
        place_(options.topology.PlaceOf(cpu)),
        id_(ids_.IdOf(place_)) {}

  CpuidEntries Edit() {
    const kvm_cpuid_entry2 vendor = Find(0);
    // "AuthenticAMD", "HygonGenuine" by EBX.
    is_amd_ = vendor.ebx == 0x68747541 || vendor.ebx == 0x6F677948;
    EditBasic();
    EditExtendedTopology();
    is_amd_ ? EditAmd() : EditIntel();
    return std::move(entries_);
  }

 private:
  kvm_cpuid_entry2 Find(uint32_t function) const {
    for (const auto& entry : entries_) {
      if (entry.function == function && entry.index == 0) return entry;
    }
    return {};
  }
  // The entry, added with zeros if the host has none.
  kvm_cpuid_entry2& At(uint32_t function) {
    for (auto& entry : entries_) {
      if (entry.function == function && entry.index == 0) return entry;
    }
    entries_.push_back({.function = function});
    return entries_.back();
  }
  void Drop(uint32_t function) {
    std::erase_if(entries_, [&](const auto& entry) {
      return entry.function == function;
    });
  }
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
    const CacheSizes& sizes = options_.caches;
    int core = ids_.thread_bits;
    return {{{kData, 1, sizes.l1d_kib, sizes.l1_ways, core},
             {kInstruction, 1, sizes.l1i_kib, sizes.l1_ways, core},
             {kUnified, 2, sizes.l2_kib, sizes.l2_ways, core},
             {kUnified, 3, sizes.l3_kib, sizes.l3_ways, ids_.llc_shift()}}};
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
    if (topology_.cpus() > 1) leaf1.edx |= kLeaf1EdxHtt;
    if (ids_.HighestId(topology_) > kMaxXapicId) {
      At(kKvmFeatures).eax |= kKvmEaxExtendedDestination;
    }
    Drop(0xA);
    Drop(0x1A);
  }

  void EditExtendedTopology() {
    for (uint32_t leaf : {0xBu, 0x1Fu}) {
      Drop(leaf);
      if (leaf == 0x1F && is_amd_) continue;
      AddIndexed(leaf, 0, uint32_t(ids_.thread_bits),
                 uint32_t(topology_.threads_per_core()), 1 << 8 | 0, id_);
      AddIndexed(leaf, 1, uint32_t(ids_.package_shift()),
                 uint32_t(topology_.cpus()), 2 << 8 | 1, id_);
      AddIndexed(leaf, 2, 0, 0, 2, id_);
    }
  }

  // Leaf 4 and 0x8000001D have the same form; only leaf 4 counts cores.
  void AddCacheLeaves(uint32_t leaf, uint32_t cores_field) {
    Drop(leaf);
    uint32_t index = 0;
    for (const Cache& cache : Caches()) {
      uint32_t sharing = std::min(0xFFFu, (1u << cache.shared_bits) - 1);
      uint32_t sets = cache.kib * 1024 / (cache.ways * kLineBytes);
      AddIndexed(leaf, index++,
                 cache.type | cache.level << 5 | 1u << 8 | sharing << 14 |
                     cores_field << 26,
                 (kLineBytes - 1) | (cache.ways - 1) << 22, sets - 1, 0);
    }
    AddIndexed(leaf, index, 0, 0, 0, 0);
  }

  void EditIntel() {
    uint32_t core_ids = 1u << (ids_.llc_bits + ids_.core_bits);
    AddCacheLeaves(4, std::min(64u, core_ids) - 1);
  }

  void EditAmd() {
    Drop(4);
    auto& max = At(0x80000000);
    max.eax = std::clamp(max.eax, kMinExtendedLeafAmd, kMaxExtendedLeaf);
    Drop(0x80000026);
    PresentModernFamily();
    auto& features = At(0x80000001);
    features.ecx &= ~kExt1EcxCmpLegacy;
    features.ecx |= kExt1EcxTopologyExtensions;
    if (topology_.cpus() > 1) features.ecx |= kExt1EcxCmpLegacy;
    At(0x80000008).ecx = uint32_t(std::min(255, topology_.cpus() - 1)) |
                         uint32_t(ids_.package_shift()) << 12;
    EditLegacyCacheLeaves();
    AddCacheLeaves(0x8000001D, 0);
    EditAmdTopology();
  }

  void PresentModernFamily() {
    uint32_t signature = At(1).eax;
    uint32_t family = (signature >> 8 & 0xF) + (signature >> 20 & 0xFF);
    uint32_t model = (signature >> 4 & 0xF) | (signature >> 12 & 0xF0);
    if (At(0).ebx == 0x6F677948) return;  // Hygon: fixed bits in any case
    if ((signature >> 8 & 0xF) == 0xF && family >= 0x17 &&
        !(family == 0x17 && model <= 0x1F)) {
      return;
    }
    At(1).eax = kZen2Signature;
    At(0x80000001).eax = kZen2Signature;
  }

  void EditLegacyCacheLeaves() {
    const CacheSizes& sizes = options_.caches;
    auto& l1 = At(0x80000005);
    uint32_t l1_low = sizes.l1_ways << 16 | 1 << 8 | kLineBytes;
    l1.ecx = sizes.l1d_kib << 24 | l1_low;
    l1.edx = sizes.l1i_kib << 24 | l1_low;
    auto& outer = At(0x80000006);
    outer.ecx = sizes.l2_kib << 16 | kWays8Code << 12 | 1 << 8 | kLineBytes;
    outer.edx =
        sizes.l3_kib / 512 << 18 | kWays16Code << 12 | 1 << 8 | kLineBytes;
  }

  void EditAmdTopology() {
    Drop(0x8000001E);
    // Three bits hold the number of nodes; more are told by SRAT alone.
    bool fits = topology_.nodes() <= 8;
    uint32_t node = fits ? uint32_t(place_.node) : 0;
    uint32_t nodes = fits ? uint32_t(topology_.nodes()) : 1;
    auto& leaf = At(0x8000001E);
    leaf.eax = id_;
    leaf.ebx = (id_ >> ids_.thread_bits & 0xFF) |
               uint32_t(topology_.threads_per_core() - 1) << 8;
    leaf.ecx = node | (nodes - 1) << 8;
  }

  CpuidEntries entries_;
  const Topology& topology_;
  const CpuidOptions& options_;
  const ApicIdLayout ids_;
  const CpuPlace place_;
  const uint32_t id_;
  bool is_amd_ = false;
};

}  // namespace

CpuidEntries BuildCpuid(const CpuidEntries& host, const CpuidOptions& options,
                        int cpu) {
  return CpuidEditor(host, options, cpu).Edit();
}

}  // namespace ktstr::vmm
