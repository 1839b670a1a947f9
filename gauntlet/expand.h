// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GAUNTLET_EXPAND_H_
#define KTSTR_GAUNTLET_EXPAND_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gauntlet/constraints.h"
#include "gauntlet/profiles.h"
#include "model/topology.h"

namespace ktstr::gauntlet {

// The scheduler a test declares.
struct DeclaredScheduler {
  std::string name;
  // False for the kernel's default class, or one inside the kernel.
  bool has_program = false;
  // Why its program was not found where the run was submitted; may be empty.
  std::string why_missing;
  std::vector<Flag> flags;
};

// One declared test, as far as expansion cares.
struct TestCase {
  std::string name;
  // Of its base run, even where `constraints` would exclude it.
  Topology topology;
  Constraints constraints;
  // Floor of guest RAM.
  int64_t memory_mib = 0;
  FlagChoice flag_choice;
  std::optional<DeclaredScheduler> scheduler;
  bool is_ignored_by_default = false;
  // Runs of each combination, at least 1.
  int repeat = 1;
};

// What is expanded: tests x presets x schedulers x flag profiles x kernels.
struct Request {
  std::vector<TestCase> tests;
  // Empty: base variants only, each with its test's own topology. Else gauntlet
  // variants only.
  std::vector<std::string> presets;
  // Names of the schedulers the submission brings. A test that declares a
  // scheduler with a program runs on the one of that name if it is here, else
  // on all of them, as does a test that declares none. Empty: each test's own,
  // else the kernel's default class.
  std::vector<std::string> schedulers;
  // Names of declared schedulers whose programs were found; no dimension.
  std::vector<std::string> declared_programs;
  // Labels; at least one.
  std::vector<std::string> kernels;
  std::vector<std::string> filters;
  uint64_t seed = 0;
  // Most variants of one expansion.
  size_t max_variants = 1000000;
};

// One combination that is to run.
struct Variant {
  // "ktstr/TEST" for a base variant, "gauntlet/TEST/PRESET/PROFILE" for one of
  // a preset. With two or more schedulers a base name gains "/SCHEDULER" and a
  // profile is prefixed by "SCHEDULER:"; with two or more kernels the name
  // gains "/KERNEL". Runs of a repeated test end in "#1", "#2", ... Unique in
  // the expansion.
  std::string name;
  // Positions in the request's lists.
  size_t test = 0;
  // In `schedulers` with `declared_programs` behind it; absent: no program.
  std::optional<size_t> scheduler;
  size_t kernel = 0;
  std::string preset;  // empty for a base variant
  Topology topology;
  // Effective: max(CPUs * 64, 256, the test's floor).
  int64_t memory_mib = 0;
  Profile profile;
  // Which run of a repeated test, from 1.
  int run = 1;
  uint64_t seed = 0;
};

// A combination that was considered and left out. `variant` stops at the level
// that decided: "gauntlet/TEST/PRESET" stands for all its profiles and kernels.
struct Exclusion {
  std::string variant;
  std::string reason;
};

// Ordered by test, preset, scheduler, profile, kernel, run, each as in the
// request.
struct Expansion {
  std::vector<Variant> variants;
  std::vector<Exclusion> excluded;
};

// Errors:
//   InvalidArgument  an empty or repeated name in a dimension, an unknown
//                    preset, contradictory constraints or flags (R-13 of the
//                    specification: never silently nothing), a test to run
//                    whose declared scheduler has a program that the submission
//                    does not bring, a filter that matches nothing, more than
//                    max_variants, or nothing left to run. The message names
//                    the culprit and what is accepted.
absl::StatusOr<Expansion> Expand(const Request& request);

// RAM of a guest with `topology` whose test asks for at least `floor_mib`.
int64_t EffectiveMemoryMib(const Topology& topology, int64_t floor_mib);

}  // namespace ktstr::gauntlet

#endif  // KTSTR_GAUNTLET_EXPAND_H_
