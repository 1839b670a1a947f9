// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_MACHINE_LSTOPO_TREE_H_
#define KTSTR_TESTS_MACHINE_LSTOPO_TREE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/machine_topology.h"

namespace ktstr::machine_tests {

// Compares the drawing of `lstopo --of console` with a declaration: how many
// packages, dies, L3, L2, L1, cores, CPUs and NUMA nodes there are, which CPUs
// lie below each, and the sizes of caches. One sentence per difference.
//
// Shape: an object a line, children indented by two more blanks; "A + B" is A
//        with the only child B. Groups are hwloc's own and not compared. Dies
//        that are the package are not drawn; `is_amd` as in CompareCpus()
//        (tests/guest/topology_report.h). A memory-only node is drawn below
//        whatever covers at least its nearest node's CPUs.
std::vector<std::string> CompareDrawing(const MachineTopology& declared,
                                        bool is_amd, absl::string_view drawing);

}  // namespace ktstr::machine_tests

#endif  // KTSTR_TESTS_MACHINE_LSTOPO_TREE_H_
