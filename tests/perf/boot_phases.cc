// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Prints, step by step, how long a guest takes from the start of its vmm to its
// hello, as the medians over a few attempts of an empty test: one JSON line a
// step.
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

constexpr int kRuns = 5;

// A step and when it was reached in each run, in order of the runs.
struct Samples {
  std::string step;
  std::vector<double> since_start_ms;
};

std::vector<double>& SamplesOf(const std::string& step,
                               std::vector<Samples>& all) {
  for (Samples& samples : all) {
    if (samples.step == step) return samples.since_start_ms;
  }
  return all.emplace_back(Samples{step, {}}).since_start_ms;
}

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
  std::vector<Samples> all;
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
    for (const auto& step : file["boot_steps"]) {
      SamplesOf(step.value("step", ""), all)
          .push_back(step.value("since_start_ms", 0.0));
    }
    where = file["host"].value("host_class", "unknown");
  }
  for (const Samples& samples : all) {
    PrintFigure(samples.step, samples.since_start_ms, where);
  }
  return 0;
}

}  // namespace
}  // namespace ktstr::e2e

int main() { return ktstr::e2e::Main(); }
