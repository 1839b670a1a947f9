// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/cpuid_report.h"

#include <cpuid.h>
#include <errno.h>
#include <sched.h>

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ktstr::guest {
namespace {

constexpr uint32_t kIntelEbx = 0x756E6547;
constexpr uint32_t kAmdEbx = 0x68747541;
// Room for every CPU a machine may have.
constexpr int kMaxCpus = 4096;

int BitsFor(int count) { return std::bit_width(uint32_t(count - 1)); }

// Type, shift and count of a level.
struct Level {
  uint32_t type;
  int shift;
  int cpus;
};

class CpuidComparison {
 public:
  CpuidComparison(const MachineTopology& machine, int cpu,
                  const CpuidReader& read, Facts& facts)
      : machine_(machine),
        cpu_(cpu),
        read_(read),
        facts_(facts),
        place_(machine.PlaceOf(cpu)),
        threads_(machine.topology().threads_per_core()),
        smt_bits_(BitsFor(threads_)),
        llc_bits_(smt_bits_ + BitsFor(machine.topology().cores_per_llc())),
        are_packages_(machine.llcs_are() == LlcsAre::kPackages),
        has_dies_(machine.llcs_are() == LlcsAre::kDies),
        package_bits_(are_packages_
                          ? llc_bits_
                          : llc_bits_ + BitsFor(machine.topology().llcs())),
        package_cpus_(are_packages_ ? machine.topology().cpus_per_llc()
                                    : machine.cpus()),
        id_(uint32_t(place_.llc) << llc_bits_ |
            uint32_t(place_.core) << smt_bits_ | uint32_t(place_.thread)) {}

  void Run() {
    const uint32_t vendor = read_(0, 0).ebx;
    const bool is_intel = vendor == kIntelEbx;
    if (machine_.cpu_vendor() == CpuVendor::kIntel) {
      Expect("0 EBX", vendor, kIntelEbx);
    } else if (machine_.cpu_vendor() == CpuVendor::kAmd) {
      Expect("0 EBX", vendor, kAmdEbx);
    }
    CompareBasic();
    CompareLevels(
        0xB, {{1, smt_bits_, threads_}, {2, package_bits_, package_cpus_}});
    is_intel ? CompareIntel() : CompareAmd();
  }

 private:
  void Expect(absl::string_view what, uint32_t found, uint32_t declared) {
    facts_.ExpectHex(absl::StrCat("CPUID ", what, " of CPU ", cpu_), found,
                     declared);
  }

  void CompareBasic() {
    const CpuidRegisters leaf = read_(1, 0);
    Expect("1 EBX, APIC id", leaf.ebx >> 24, id_ & 0xFF);
    Expect("1 EBX, ids of a package", leaf.ebx >> 16 & 0xFF,
           std::min(255u, 1u << package_bits_));
    Expect("1 ECX, x2APIC", leaf.ecx >> 21 & 1, 1);
    Expect("1 EDX, several CPUs in a package", leaf.edx >> 28 & 1,
           package_cpus_ > 1);
  }

  void CompareLevels(uint32_t leaf, const std::vector<Level>& levels) {
    uint32_t index = 0;
    for (const Level& level : levels) {
      const CpuidRegisters found = read_(leaf, index);
      const std::string name = absl::StrFormat("%#x.%d ", leaf, index);
      Expect(name + "EAX, shift", found.eax & 0x1F, uint32_t(level.shift));
      Expect(name + "EBX, CPUs", found.ebx & 0xFFFF, uint32_t(level.cpus));
      Expect(name + "ECX", found.ecx & 0xFFFF, level.type << 8 | index);
      Expect(name + "EDX, x2APIC id", found.edx, id_);
      ++index;
    }
    Expect(absl::StrFormat("%#x.%d ECX, type", leaf, index),
           read_(leaf, index).ecx >> 8 & 0xFF, 0);
  }

  // `core_ids` is what the leaf says in its topmost six bits.
  void CompareCaches(uint32_t leaf, uint32_t core_ids) {
    const CpuCaches& caches = machine_.caches();
    const struct {
      uint32_t type, level;
      CacheGeometry geometry;
      int sharing_bits;
    } declared[] = {{1, 1, caches.l1d, smt_bits_},
                    {2, 1, caches.l1i, smt_bits_},
                    {3, 2, caches.l2, smt_bits_},
                    {3, 3, caches.l3, llc_bits_}};
    for (uint32_t index = 0; index < 4; ++index) {
      const CpuidRegisters found = read_(leaf, index);
      const auto& cache = declared[index];
      const std::string name = absl::StrFormat("%#x.%d ", leaf, index);
      Expect(name + "EAX, type", found.eax & 0x1F, cache.type);
      Expect(name + "EAX, level", found.eax >> 5 & 7, cache.level);
      Expect(name + "EAX, ids that share it", found.eax >> 14 & 0xFFF,
             (1u << cache.sharing_bits) - 1);
      Expect(name + "EAX, cores", found.eax >> 26, core_ids);
      Expect(name + "EBX, line", (found.ebx & 0xFFF) + 1,
             uint32_t(cache.geometry.line_bytes));
      Expect(name + "EBX, partitions", found.ebx >> 12 & 0x3FF, 0);
      Expect(name + "EBX, ways", (found.ebx >> 22) + 1,
             uint32_t(cache.geometry.ways));
      Expect(name + "ECX, sets", found.ecx + 1,
             uint32_t(cache.geometry.sets()));
    }
    Expect(absl::StrFormat("%#x.4 EAX, type", leaf), read_(leaf, 4).eax & 0x1F,
           0);
  }

  void CompareIntel() {
    CompareCaches(4, std::min(64u, 1u << (package_bits_ - smt_bits_)) - 1);
    std::vector<Level> levels = {{1, smt_bits_, threads_}};
    if (has_dies_) {
      levels.push_back({2, llc_bits_, machine_.topology().cpus_per_llc()});
      levels.push_back({5, package_bits_, package_cpus_});
    } else {
      levels.push_back({2, package_bits_, package_cpus_});
    }
    CompareLevels(0x1F, levels);
  }

  void CompareAmd() {
    Expect("4 EAX", read_(4, 0).eax, 0);
    CompareCaches(0x8000001D, 0);
    const CpuidRegisters sizes = read_(0x80000008, 0);
    Expect("0x80000008 ECX, threads", sizes.ecx & 0xFF,
           uint32_t(std::min(255, package_cpus_ - 1)));
    Expect("0x80000008 ECX, id bits", sizes.ecx >> 12 & 0xF,
           uint32_t(package_bits_));
    CompareAmdNode();
    const uint32_t last = read_(0x80000000, 0).eax;
    if (!has_dies_) {
      return Expect("0x80000000 EAX, beyond 0x80000025", last > 0x80000025, 0);
    }
    const int llc_cpus = machine_.topology().cpus_per_llc();
    Expect("0x80000000 EAX", last, 0x80000026);
    CompareLevels(0x80000026, {{1, smt_bits_, threads_},
                               {2, llc_bits_, llc_cpus},
                               {3, llc_bits_, llc_cpus},
                               {4, package_bits_, package_cpus_}});
  }

  void CompareAmdNode() {
    const CpuidRegisters leaf = read_(0x8000001E, 0);
    Expect("0x8000001e EAX, id", leaf.eax, id_);
    const uint32_t in_package = id_ & ((1u << package_bits_) - 1);
    Expect("0x8000001e EBX, core", leaf.ebx & 0xFF,
           in_package >> smt_bits_ & 0xFF);
    Expect("0x8000001e EBX, threads", (leaf.ebx >> 8 & 0xFF) + 1,
           uint32_t(threads_));
    // Three bits hold the count.
    if (!are_packages_ && machine_.cpu_nodes() > 8) return;
    Expect("0x8000001e ECX, node", leaf.ecx & 0xFF,
           uint32_t(place_.node) & 0xFF);
    Expect("0x8000001e ECX, nodes of a package", (leaf.ecx >> 8 & 7) + 1,
           are_packages_ ? 1 : uint32_t(machine_.cpu_nodes()));
  }

  const MachineTopology& machine_;
  const int cpu_;
  const CpuidReader& read_;
  Facts& facts_;
  const CpuPlace place_;
  const int threads_;
  const int smt_bits_;
  const int llc_bits_;
  const bool are_packages_;
  const bool has_dies_;
  const int package_bits_;
  const int package_cpus_;
  const uint32_t id_;
};

}  // namespace

void CompareCpuid(const MachineTopology& declared, int cpu,
                  const CpuidReader& read, Facts& facts) {
  CpuidComparison(declared, cpu, read, facts).Run();
}

bool ThisMachineIsAmd() {
  CpuidRegisters found;
  __cpuid(0, found.eax, found.ebx, found.ecx, found.edx);
  return found.ebx == kAmdEbx;
}

absl::Status CompareCpuidOfThisMachine(const MachineTopology& declared,
                                       Facts& facts) {
  const size_t bytes = CPU_ALLOC_SIZE(kMaxCpus);
  cpu_set_t* before = CPU_ALLOC(kMaxCpus);
  cpu_set_t* one = CPU_ALLOC(kMaxCpus);
  absl::Cleanup free_sets = [=] {
    CPU_FREE(before);
    CPU_FREE(one);
  };
  if (sched_getaffinity(0, bytes, before) != 0) {
    return absl::ErrnoToStatus(errno, "sched_getaffinity");
  }
  absl::Cleanup move_back = [=] { sched_setaffinity(0, bytes, before); };
  for (int cpu = 0; cpu < declared.cpus(); ++cpu) {
    CPU_ZERO_S(bytes, one);
    CPU_SET_S(cpu, bytes, one);
    if (sched_setaffinity(0, bytes, one) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("move to CPU ", cpu));
    }
    CompareCpuid(
        declared, cpu,
        [](uint32_t leaf, uint32_t subleaf) {
          CpuidRegisters found;
          __cpuid_count(leaf, subleaf, found.eax, found.ebx, found.ecx,
                        found.edx);
          return found;
        },
        facts);
  }
  return absl::OkStatus();
}

}  // namespace ktstr::guest
