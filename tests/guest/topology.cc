// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Whether a guest is the machine that was declared, and a test that does
// nothing, for timing.
#include "model/topology.h"

#include <stdlib.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "ktstr/ktstr.h"
#include "tests/guest/topology_report.h"

namespace {

using namespace ktstr;

KTSTR_TEST(matches_declaration,
           .topology = {.llcs = 2, .cores = 2, .threads = 2},
           .constraints = {
               .max_numa_nodes = 4, .max_llcs = 15, .max_cpus = 252}) {
  const char* text = getenv("KTSTR_TOPOLOGY");
  if (text == nullptr) {
    return absl::FailedPreconditionError("KTSTR_TOPOLOGY is not set");
  }
  ABSL_ASSIGN_OR_RETURN(Topology declared, Topology::Parse(text));
  ABSL_ASSIGN_OR_RETURN(
      std::vector<std::string> differences,
      guest::CompareTopology("/sys/devices/system", declared));
  if (differences.empty()) return pass();
  return fail(absl::StrJoin(differences, "; "));
}

KTSTR_TEST(empty) { return pass(); }

}  // namespace
