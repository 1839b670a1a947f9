// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/machine/catalogue.h"

#include <utility>

#include "absl/strings/str_replace.h"
#include "gauntlet/expand.h"
#include "gauntlet/preset.h"

namespace ktstr::machine_tests {
namespace {

using Indexing = MemorySideCache::Indexing;
using WritePolicy = MemorySideCache::WritePolicy;

Topology T(const char* text) { return *Topology::Parse(text); }

// Three LLCs and much memory on node 0, one LLC on node 1, a memory-only node.
MachineDetails Uneven() {
  return {.nodes = {{.llcs = 3, .memory_mib = 512},
                    {.llcs = 1, .memory_mib = 320},
                    {.llcs = 0, .memory_mib = 192}},
          .distances = {{10, 21, 40}, {21, 10, 28}, {40, 28, 10}}};
}
constexpr int64_t kUnevenMib = 1024;

// Every attribute of memory declared, some for each pair.
MachineDetails Attributes() {
  MachineDetails details = Uneven();
  details.latency_ns = {{81, 143, 417}, {144, 83, 290}};
  details.bandwidth_mbps = {{120000, 64010, 9000}, {64000, 120010, 9010}};
  details.nodes[0].memory_side_cache =
      MemorySideCache{.size_mib = 64, .indexing = Indexing::kDirectMapped};
  details.nodes[2].memory_side_cache =
      MemorySideCache{.size_mib = 3,
                      .line_bytes = 256,
                      .indexing = Indexing::kComplex,
                      .write_policy = WritePolicy::kWriteThrough};
  return details;
}

MachineDetails With(MachineDetails details, CpuVendor vendor,
                    LlcsAre llcs_are = LlcsAre::kGroups) {
  details.cpu_vendor = vendor;
  details.llcs_are = llcs_are;
  return details;
}

constexpr CpuCaches kCaches = {
    .l1d = {.size_kib = 48, .ways = 12},
    .l1i = {.size_kib = 64, .ways = 16},
    .l2 = {.size_kib = 1280, .ways = 20},
    .l3 = {.size_kib = 98304, .ways = 24, .line_bytes = 128}};

}  // namespace

MachineTopology CatalogueMachine::Resolved() const {
  return *MachineTopology::Create(topology, memory_mib, details);
}

MachineSpec CatalogueMachine::Spec() const {
  MachineSpec spec;
  spec.topology = topology;
  spec.memory_mib = memory_mib;
  spec.details = details;
  return spec;
}

void PrintTo(const CatalogueMachine& machine, std::ostream* out) {
  *out << machine.topology.ToString();
}

std::vector<CatalogueMachine> PresetMachines() {
  std::vector<CatalogueMachine> machines;
  for (const gauntlet::Preset& preset : gauntlet::AllPresets()) {
    machines.push_back(
        {.name = absl::StrReplaceAll(preset.name, {{"-", "_"}}),
         .topology = preset.topology,
         .memory_mib = gauntlet::EffectiveMemoryMib(preset.topology, 512)});
  }
  return machines;
}

std::vector<CatalogueMachine> DetailedMachines() {
  const auto kIntel = CpuVendor::kIntel, kAmd = CpuVendor::kAmd;
  const auto kDies = LlcsAre::kDies, kPackages = LlcsAre::kPackages;
  return {
      {"uneven_nodes", T("2n4l2c1t"), kUnevenMib, Uneven()},
      {"attributes", T("2n4l2c1t"), kUnevenMib, Attributes()},
      {"attributes_intel", T("2n4l2c2t"), kUnevenMib,
       With(Attributes(), kIntel)},
      {"one_node_attributes",
       T("1n2l2c1t"),
       512,
       {.nodes = {{.llcs = 2,
                   .memory_mib = 512,
                   .latency_ns = 77,
                   .bandwidth_mbps = 123450}}}},
      {"two_memory_only",
       T("1n1l2c1t"),
       3500,
       {.nodes = {{.llcs = 1, .memory_mib = 2900},
                  {.memory_mib = 400, .latency_ns = 250},
                  {.memory_mib = 200, .bandwidth_mbps = 7000}},
        .distances = {{10, 17, 35}, {17, 10, 52}, {35, 52, 10}}}},
      {"caches", T("1n2l2c2t"), 512, {.caches = kCaches}},
      {"caches_intel",
       T("1n2l2c2t"),
       512,
       {.caches = kCaches, .cpu_vendor = kIntel}},
      {"intel", T("1n3l3c2t"), 512, With({}, kIntel)},
      {"amd", T("1n3l3c2t"), 512, With({}, kAmd)},
      {"dies_intel", T("1n3l3c2t"), 512, With({}, kIntel, kDies)},
      {"dies_amd", T("2n6l2c2t"), 512, With({}, kAmd, kDies)},
      {"packages_intel", T("2n4l3c2t"), 512, With({}, kIntel, kPackages)},
      {"packages_amd", T("2n4l3c2t"), 512, With({}, kAmd, kPackages)},
      {"uneven_packages", T("2n4l2c1t"), kUnevenMib,
       With(Uneven(), CpuVendor::kHost, kPackages)},
      {"wide_ids_intel", T("1n5l33c1t"), 165 * 64, With({}, kIntel)},
  };
}

std::vector<CatalogueMachine> AllMachines() {
  std::vector<CatalogueMachine> machines = PresetMachines();
  for (CatalogueMachine& machine : DetailedMachines()) {
    machines.push_back(std::move(machine));
  }
  return machines;
}

}  // namespace ktstr::machine_tests
