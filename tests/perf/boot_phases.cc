// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Prints, phase by phase, how long a guest takes from the start of its vmm, as
// the medians over a few attempts of an empty test: one JSON line a phase.
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

constexpr int kRuns = 5;

using Samples = std::map<std::string, std::vector<double>>;

void PrintFigure(const std::string& name, std::vector<double> values,
                 const std::string& where) {
  std::sort(values.begin(), values.end());
  absl::PrintF(
      "{\"figure\":\"boot.phases\",\"phase\":\"%s\",\"value\":%.1f,"
      "\"unit\":\"ms\",\"peer\":null,\"n\":%d,\"lo\":%.1f,\"hi\":%.1f,"
      "\"where\":\"%s\"}\n",
      name, values[values.size() / 2], values.size(), values.front(),
      values.back(), where);
}

int Main() {
  Samples samples;
  std::string where = "unknown";
  for (int i = 0; i < kRuns; ++i) {
    SubmitRun run = Submit(
        {Program("topology"), "--filter", "empty", "--preset", "tiny-1llc"});
    if (run.results.size() != 1 || run.results[0].outcome != "PASS") {
      fprintf(stderr, "boot_phases: no passing result: %s%s", run.out.c_str(),
              run.err.c_str());
      return 1;
    }
    const nlohmann::json& file = run.results[0].file;
    for (const auto& phase : file["phases"]) {
      samples[phase.value("phase", "")].push_back(
          phase.value("since_start_ms", 0.0));
    }
    where = file["host"].value("host_class", "unknown");
  }
  for (const auto& [phase, values] : samples) PrintFigure(phase, values, where);
  return 0;
}

}  // namespace
}  // namespace ktstr::e2e

int main() { return ktstr::e2e::Main(); }
