// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_MACHINE_CATALOGUE_H_
#define KTSTR_TESTS_MACHINE_CATALOGUE_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "model/machine_spec.h"
#include "model/machine_topology.h"

namespace ktstr::machine_tests {

// A machine that tests look at from all sides.
struct CatalogueMachine {
  // Letters, digits and underscores.
  std::string name;
  Topology topology;
  int64_t memory_mib = 0;
  MachineDetails details;

  MachineTopology Resolved() const;
  // Topology, memory and details; no descriptors.
  MachineSpec Spec() const;
};

// What gtest shows of a parameter.
void PrintTo(const CatalogueMachine& machine, std::ostream* out);

// The 24 presets, with as much memory as the gauntlet gives them.
std::vector<CatalogueMachine> PresetMachines();

// Machines that a preset cannot say: listed nodes (uneven, memory-only, more
// than 3 GiB), distances, memory attributes, memory-side caches, declared
// caches, both vendors, LLCs as dies and as packages, ids beyond 254.
std::vector<CatalogueMachine> DetailedMachines();

// Both.
std::vector<CatalogueMachine> AllMachines();

}  // namespace ktstr::machine_tests

#endif  // KTSTR_TESTS_MACHINE_CATALOGUE_H_
