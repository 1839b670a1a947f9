// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "ktstrctl/catalog.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/print.h"
#include "nlohmann/json.hpp"
#include "proto/suite.pb.h"
#include "results/table.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;

json ScenarioJson(const v1::TestDescription& test) {
  const v1::ScenarioNote& note = test.scenario();
  const v1::TopologyConstraints& c = test.constraints();
  return {
      {"name", test.name()},
      {"category", note.category()},
      {"description", note.description()},
      {"min_cpus", c.min_cpus()},
      {"min_llcs", c.min_llcs()},
      {"min_numa_nodes", c.min_numa_nodes()},
      {"required_flags", std::vector<std::string>(note.required_flags().begin(),
                                                  note.required_flags().end())},
      {"excluded_flags",
       std::vector<std::string>(note.excluded_flags().begin(),
                                note.excluded_flags().end())}};
}

int ListScenarios(const std::string& category, bool is_json) {
  absl::StatusOr<Catalog> catalog = ReadCatalog();
  if (!catalog.ok()) return Complain(catalog.status(), kExitMissed);
  absl::StatusOr<std::vector<v1::TestDescription>> chosen =
      ChooseScenarios(*catalog, category, {});
  if (!chosen.ok()) return Complain(chosen.status(), kExitUsage);
  json all = json::array();
  results::TextTable table(
      {"CATEGORY", "SCENARIO", "NEEDS", "FLAGS", "DESCRIPTION"});
  for (const v1::TestDescription& test : *chosen) {
    all.push_back(ScenarioJson(test));
    table.AddRow({test.scenario().category(), test.name(), NeedsText(test),
                  FlagsText(test), test.scenario().description()});
  }
  if (is_json) {
    PrintJson({{"scenarios", all}});
  } else {
    Print(absl::StrCat(table.ToString(), chosen->size(), " scenarios\n"));
  }
  return kExitPassed;
}

}  // namespace

void AddScenariosCommand(CLI::App& app, Command& chosen) {
  auto category = std::make_shared<std::string>();
  auto is_json = std::make_shared<bool>(false);
  CLI::App* scenarios =
      app.add_subcommand("scenarios", "Show the catalogue of scenarios");
  scenarios->add_option("--category", *category, "Only these");
  scenarios->add_flag("--json", *is_json, "Print one JSON object");
  scenarios->callback([=, &chosen] {
    chosen = [=] { return ListScenarios(*category, *is_json); };
  });
}

}  // namespace ktstr::ktstrctl
