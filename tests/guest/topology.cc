// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Whether a guest is the machine that was declared, and a test that does
// nothing, for timing.
#include "model/topology.h"

#include <cpuid.h>
#include <linux/kvm_para.h>
#include <stdlib.h>

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstr/ktstr.h"
#include "model/machine_topology.h"
#include "tests/guest/cpuid_report.h"
#include "tests/guest/topology_report.h"

namespace {

using namespace ktstr;

constexpr uint64_t kMaxCmdlineBytes = 1 << 16;
// Differences shown; a wrong machine has thousands.
constexpr size_t kMaxShown = 20;

KTSTR_TEST(matches_declaration,
           .topology = {.llcs = 2, .cores = 2, .threads = 2},
           .constraints = {
               .max_numa_nodes = 4, .max_llcs = 15, .max_cpus = 252}) {
  const char* text = getenv("KTSTR_TOPOLOGY");
  if (text == nullptr) {
    return absl::FailedPreconditionError("KTSTR_TOPOLOGY is not set");
  }
  ABSL_ASSIGN_OR_RETURN(Topology topology, Topology::Parse(text));
  // How much memory the guest has is not said here: one that every node shares.
  ABSL_ASSIGN_OR_RETURN(
      MachineTopology declared,
      MachineTopology::Create(topology, int64_t{256} * topology.nodes()));
  ABSL_ASSIGN_OR_RETURN(std::string cmdline,
                        ReadFile("/proc/cmdline", kMaxCmdlineBytes));
  guest::Facts facts("/sys/devices/system");
  guest::CompareCpus(declared, guest::ThisMachineIsAmd(), facts);
  guest::CompareNodes(declared, absl::StrContains(cmdline, "maxcpus="), facts);
  ABSL_RETURN_IF_ERROR(guest::CompareCpuidOfThisMachine(declared, facts));
  const auto& all = facts.differences();
  if (all.empty()) return pass();
  const auto end = all.begin() + std::min(all.size(), kMaxShown);
  return fail(absl::StrCat(
      all.size(), " differences: ", absl::StrJoin(all.begin(), end, "; ")));
}

KTSTR_TEST(empty) { return pass(); }

// Runs only where the guest has hardware of its own, and is told so.
KTSTR_TEST(dedicated, .topology = {.cores = 1}, .memory_mib = 256,
           .performance_mode = true) {
  // KVM_CPUID_FEATURES; EDX: hints.
  constexpr uint32_t kKvmFeatures = 0x40000001;
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  __cpuid(kKvmFeatures, eax, ebx, ecx, edx);
  if ((edx & (1u << KVM_HINTS_REALTIME)) == 0) {
    return fail("the guest is not told that its CPUs are never preempted");
  }
  return pass();
}

}  // namespace
