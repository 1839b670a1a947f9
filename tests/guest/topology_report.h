// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a kernel shows of a machine in a tree of the form of
// /sys/devices/system, compared with the declaration, file by file.
#ifndef KTSTR_TESTS_GUEST_TOPOLOGY_REPORT_H_
#define KTSTR_TESTS_GUEST_TOPOLOGY_REPORT_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "model/machine_topology.h"
#include "tests/guest/facts.h"

namespace ktstr::guest {

// Online CPUs; siblings, core, die and package of each; level, type, geometry
// and sharing of each cache.
//
// `is_amd`: the guest takes its CPUs for AMD's (cpuid_report.h). Linux then
// counts the CPUs of a node as a die where several nodes are in a package.
void CompareCpus(const MachineTopology& declared, bool is_amd, Facts& facts);

// The CPUs that Linux counts as one die with `cpu`.
std::vector<int> DieOf(const MachineTopology& declared, bool is_amd, int cpu);

// Nodes, their CPUs and distances; nearest initiator, latency and bandwidth;
// memory-side caches. Nodes without memory are not looked at for the last two.
//
// `cpus_came_late`: the kernel read the HMAT with one CPU online. It then takes
// that CPU for the only one that ever accesses memory, so that class 1 of the
// attributes (of CPUs) says less than class 0 (of all initiators) and is left
// out.
void CompareNodes(const MachineTopology& declared, bool cpus_came_late,
                  Facts& facts);

// Pages that `zoneinfo`, the text of /proc/zoneinfo, says are present on each
// node.
//
// Shape: the first node lacks what a PC has below 1 MiB: its first page and
//        everything from 0x9F000 on.
void ComparePages(const MachineTopology& declared, absl::string_view zoneinfo,
                  Facts& facts);

}  // namespace ktstr::guest

#endif  // KTSTR_TESTS_GUEST_TOPOLOGY_REPORT_H_
