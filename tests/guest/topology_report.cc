// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/topology_report.h"

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ktstr::guest {
namespace {

constexpr int64_t kPagesPerMib = 256;
// Pages 0, and 0x9F to 0xFF.
constexpr int64_t kLowPagesAbsent = 1 + 0x100 - 0x9F;

std::vector<int> UpTo(int count) {
  std::vector<int> numbers(count);
  for (int i = 0; i < count; ++i) numbers[i] = i;
  return numbers;
}

std::vector<int> Siblings(const MachineTopology& machine, int cpu) {
  std::vector<int> siblings;
  const int first = cpu - machine.PlaceOf(cpu).thread;
  for (int i = 0; i < machine.topology().threads_per_core(); ++i) {
    siblings.push_back(first + i);
  }
  return siblings;
}

// Core ids count from 0 in a package; those of an LLC begin at a power of two.
int CoreId(const MachineTopology& machine, const CpuPlace& place) {
  if (machine.llcs_are() == LlcsAre::kPackages) return place.core;
  const auto cores = uint32_t(machine.topology().cores_per_llc());
  return place.llc * int(std::bit_ceil(cores)) + place.core;
}

void CompareCpuTopology(const MachineTopology& machine, bool is_amd, int cpu,
                        Facts& facts) {
  const std::string dir = absl::StrCat("cpu/cpu", cpu, "/topology/");
  const CpuPlace place = machine.PlaceOf(cpu);
  const LlcsAre llcs_are = machine.llcs_are();
  const std::vector<int> siblings = Siblings(machine, cpu);
  const std::vector<int> of_llc = machine.topology().CpusOfLlc(place.llc);
  const std::vector<int> all = UpTo(machine.cpus());
  const auto& package = llcs_are == LlcsAre::kPackages ? of_llc : all;
  facts.ExpectCpus(dir + "thread_siblings_list", siblings);
  facts.ExpectCpus(dir + "core_cpus_list", siblings);
  facts.ExpectCpus(dir + "die_cpus_list", DieOf(machine, is_amd, cpu));
  facts.ExpectCpus(dir + "package_cpus_list", package);
  facts.ExpectCpus(dir + "core_siblings_list", package);
  facts.ExpectNumber(dir + "core_id", CoreId(machine, place));
  facts.ExpectNumber(dir + "die_id",
                     llcs_are == LlcsAre::kGroups ? 0 : place.llc);
  facts.ExpectNumber(dir + "physical_package_id",
                     llcs_are == LlcsAre::kPackages ? place.llc : 0);
}

struct CacheFacts {
  int level;
  const char* type;
  CacheGeometry geometry;
  std::vector<int> sharing;
};

void CompareCaches(const MachineTopology& machine, int cpu, Facts& facts) {
  const std::string dir = absl::StrCat("cpu/cpu", cpu, "/cache");
  const CpuCaches& caches = machine.caches();
  const std::vector<int> core = Siblings(machine, cpu);
  const std::vector<int> llc =
      machine.topology().CpusOfLlc(machine.PlaceOf(cpu).llc);
  const CacheFacts declared[] = {{1, "Data", caches.l1d, core},
                                 {1, "Instruction", caches.l1i, core},
                                 {2, "Unified", caches.l2, core},
                                 {3, "Unified", caches.l3, llc}};
  facts.ExpectNumbered(dir, "index", {0, 1, 2, 3});
  for (int i = 0; i < 4; ++i) {
    const std::string index = absl::StrCat(dir, "/index", i, "/");
    const CacheFacts& cache = declared[i];
    facts.ExpectNumber(index + "level", cache.level);
    facts.ExpectText(index + "type", cache.type);
    facts.ExpectText(index + "size",
                     absl::StrCat(cache.geometry.size_kib, "K"));
    facts.ExpectNumber(index + "ways_of_associativity", cache.geometry.ways);
    facts.ExpectNumber(index + "number_of_sets", cache.geometry.sets());
    facts.ExpectNumber(index + "coherency_line_size",
                       cache.geometry.line_bytes);
    facts.ExpectCpus(index + "shared_cpu_list", cache.sharing);
  }
}

void CompareAttributes(const MachineTopology& machine, int node,
                       bool cpus_came_late, Facts& facts) {
  const std::string dir = absl::StrCat("node/node", node, "/");
  if (!machine.has_memory_attributes()) {
    facts.ExpectAbsent(dir + "access0");
    facts.ExpectAbsent(dir + "memory_side_cache");
    return;
  }
  const int nearest = machine.NearestCpuNode(node);
  // Class 0 is of all initiators, class 1 of CPUs: here they are the same.
  for (const char* access : {"access0", "access1"}) {
    if (cpus_came_late && access == absl::string_view("access1")) continue;
    const std::string initiators = absl::StrCat(dir, access, "/initiators");
    facts.ExpectNumbered(initiators, "node", {nearest});
    for (const char* operation : {"read", "write"}) {
      const std::string file = absl::StrCat(initiators, "/", operation);
      facts.ExpectNumber(file + "_latency", machine.LatencyNs(nearest, node));
      facts.ExpectNumber(file + "_bandwidth",
                         machine.BandwidthMbps(nearest, node));
    }
  }
  const auto& cache = machine.nodes()[node].memory_side_cache;
  if (!cache) return facts.ExpectAbsent(dir + "memory_side_cache");
  const std::string index = dir + "memory_side_cache/index1/";
  facts.ExpectNumbered(dir + "memory_side_cache", "index", {1});
  facts.ExpectNumber(index + "size", cache->size_mib << 20);
  facts.ExpectNumber(index + "line_size", cache->line_bytes);
  facts.ExpectNumber(
      index + "indexing",
      cache->indexing == MemorySideCache::Indexing::kDirectMapped ? 0 : 1);
  facts.ExpectNumber(
      index + "write_policy",
      cache->write_policy == MemorySideCache::WritePolicy::kWriteBack ? 0 : 1);
}

}  // namespace

std::vector<int> DieOf(const MachineTopology& declared, bool is_amd, int cpu) {
  const CpuPlace place = declared.PlaceOf(cpu);
  if (declared.llcs_are() != LlcsAre::kGroups) {
    return declared.topology().CpusOfLlc(place.llc);
  }
  // Leaf 0x8000001E has room for eight; match_die() of Linux's smpboot.c.
  const int nodes = declared.cpu_nodes();
  if (is_amd && nodes > 1 && nodes <= 8) return declared.CpusOfNode(place.node);
  return UpTo(declared.cpus());
}

void CompareCpus(const MachineTopology& declared, bool is_amd, Facts& facts) {
  facts.ExpectCpus("cpu/online", UpTo(declared.cpus()));
  facts.ExpectNumbered("cpu", "cpu", UpTo(declared.cpus()));
  for (int cpu = 0; cpu < declared.cpus(); ++cpu) {
    CompareCpuTopology(declared, is_amd, cpu, facts);
    CompareCaches(declared, cpu, facts);
  }
}

void CompareNodes(const MachineTopology& declared, bool cpus_came_late,
                  Facts& facts) {
  std::vector<int> with_memory;
  facts.ExpectNumbered("node", "node", UpTo(declared.node_count()));
  for (int node = 0; node < declared.node_count(); ++node) {
    const std::string dir = absl::StrCat("node/node", node, "/");
    facts.ExpectCpus(dir + "cpulist", declared.CpusOfNode(node));
    std::vector<int> distances;
    for (int to = 0; to < declared.node_count(); ++to) {
      distances.push_back(declared.Distance(node, to));
    }
    facts.ExpectText(dir + "distance", absl::StrJoin(distances, " "));
    if (declared.nodes()[node].memory_mib == 0) continue;
    with_memory.push_back(node);
    CompareAttributes(declared, node, cpus_came_late, facts);
  }
  facts.ExpectCpus("node/online", UpTo(declared.node_count()));
  facts.ExpectCpus("node/has_cpu", UpTo(declared.cpu_nodes()));
  facts.ExpectCpus("node/has_memory", with_memory);
}

void ComparePages(const MachineTopology& declared, absl::string_view zoneinfo,
                  Facts& facts) {
  std::map<int, int64_t> present;
  int node = -1;
  for (absl::string_view line : absl::StrSplit(zoneinfo, '\n')) {
    if (absl::ConsumePrefix(&line, "Node ")) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ',');
      if (!absl::SimpleAtoi(words[0], &node)) node = -1;
      continue;
    }
    line = absl::StripAsciiWhitespace(line);
    int64_t pages = 0;
    if (absl::ConsumePrefix(&line, "present ") &&
        absl::SimpleAtoi(line, &pages)) {
      present[node] += pages;
    }
  }
  for (int i = 0; i < declared.node_count(); ++i) {
    facts.ExpectEqual(absl::StrCat("pages present on node ", i), present[i],
                      declared.nodes()[i].memory_mib * kPagesPerMib -
                          (i == 0 ? kLowPagesAbsent : 0));
  }
}

}  // namespace ktstr::guest
