// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gauntlet/preset.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/print.h"
#include "ktstrctl/suite.h"
#include "nlohmann/json.hpp"
#include "proto/suite.pb.h"
#include "results/table.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;

json TestJson(const v1::TestDescription& test) {
  const auto& duration = test.duration();
  return {
      {"name", test.name()},
      {"source", absl::StrCat(test.source_file(), ":", test.source_line())},
      {"topology", test.topology()},
      {"memory_mib", test.memory_mib()},
      {"duration_ms", duration.seconds() * 1000 + duration.nanos() / 1000000},
      {"workers_per_cgroup", test.workers_per_cgroup()},
      {"performance_mode", test.performance_mode()},
      {"scheduler", test.scheduler().name().empty()
                        ? json()
                        : json(test.scheduler().name())},
      {"ignored_by_default", test.ignored_by_default()},
      {"repeat", std::max(1, test.repeat())},
      {"require", std::max(1, test.require())},
      {"is_expected_to_fail", test.has_expectation()},
      {"quarantined_until",
       test.has_quarantine() ? json(test.quarantine().until()) : json()}};
}

int ListTests(const std::string& path, bool is_json) {
  absl::StatusOr<v1::SuiteDescription> suite = ListSuite(path);
  if (!suite.ok()) return Complain(suite.status(), kExitUsage);
  if (is_json) {
    json tests = json::array();
    for (const v1::TestDescription& test : suite->tests()) {
      tests.push_back(TestJson(test));
    }
    PrintJson({{"suite", suite->name()}, {"tests", tests}});
    return kExitPassed;
  }
  results::TextTable table({"TEST", "TOPOLOGY", "SCHEDULER", "SOURCE"});
  for (const v1::TestDescription& test : suite->tests()) {
    table.AddRow({test.name() + (test.ignored_by_default() ? " (ignored)" : ""),
                  test.topology(), test.scheduler().name(),
                  absl::StrCat(test.source_file(), ":", test.source_line())});
  }
  Print(table.ToString());
  return kExitPassed;
}

int ListPresets(bool is_json) {
  json presets = json::array();
  results::TextTable table(
      {"PRESET", "TOPOLOGY", "CPUS", "LLCS", "NODES", "SMT"});
  for (const gauntlet::Preset& preset : gauntlet::AllPresets()) {
    const Topology& topology = preset.topology;
    presets.push_back({{"name", preset.name},
                       {"topology", topology.ToString()},
                       {"cpus", topology.cpus()},
                       {"llcs", topology.llcs()},
                       {"numa_nodes", topology.nodes()},
                       {"smt", topology.has_smt()}});
    table.AddRow({preset.name, topology.ToString(),
                  absl::StrCat(topology.cpus()), absl::StrCat(topology.llcs()),
                  absl::StrCat(topology.nodes()),
                  topology.has_smt() ? "yes" : "no"});
  }
  if (is_json) {
    PrintJson(presets);
  } else {
    Print(table.ToString());
  }
  return kExitPassed;
}

}  // namespace

void AddListCommands(CLI::App& app, Command& chosen) {
  auto path = std::make_shared<std::string>();
  auto is_json = std::make_shared<bool>(false);
  CLI::App* list = app.add_subcommand("list", "Show the tests of a suite");
  list->add_option("suite", *path, "Suite binary")->required();
  list->add_flag("--json", *is_json, "Print one JSON object");
  list->callback(
      [=, &chosen] { chosen = [=] { return ListTests(*path, *is_json); }; });
  CLI::App* presets = app.add_subcommand("presets", "Show topology presets");
  presets->add_flag("--json", *is_json, "Print one JSON array");
  presets->callback(
      [=, &chosen] { chosen = [=] { return ListPresets(*is_json); }; });
}

}  // namespace ktstr::ktstrctl
