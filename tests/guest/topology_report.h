// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_GUEST_TOPOLOGY_REPORT_H_
#define KTSTR_TESTS_GUEST_TOPOLOGY_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/topology.h"

namespace ktstr::guest {

// Compares what a kernel says in a tree of the form of /sys/devices/system with
// a declaration, file by file: online CPUs; siblings, core ids, packages and
// dies of each CPU; levels, sizes and sharing of each cache; CPUs of each node.
// One sentence per difference; empty when everything matches.
//
// Shape: CPUs are numbered LLC by LLC, core by core, threads of a core
//        adjacent. The machine is one package with one die; caches below the
//        last level belong to one core.
//
// Errors: a file every kernel has cannot be read or does not parse.
absl::StatusOr<std::vector<std::string>> CompareTopology(
    const std::string& root, const Topology& declared);

}  // namespace ktstr::guest

#endif  // KTSTR_TESTS_GUEST_TOPOLOGY_REPORT_H_
