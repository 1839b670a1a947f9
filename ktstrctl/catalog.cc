// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/catalog.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "gauntlet/close_names.h"
#include "ktstrctl/libexec.h"
#include "ktstrctl/suite.h"

namespace ktstr::ktstrctl {
namespace {

constexpr char kProgram[] = "catalog";

absl::Status Unknown(absl::string_view what, const std::string& word,
                     const std::vector<std::string>& known) {
  return absl::InvalidArgumentError(absl::StrCat(
      "there is no ", what, " \"", word, "\"",
      gauntlet::DidYouMean(word, known), "; `ktstrctl scenarios` lists them"));
}

bool Contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

absl::StatusOr<Catalog> ReadCatalog() {
  Catalog catalog;
  ABSL_ASSIGN_OR_RETURN(catalog.program, FindProgramOfOurs(kProgram));
  ABSL_ASSIGN_OR_RETURN(v1::SuiteDescription suite, ListSuite(catalog.program));
  catalog.scenarios.assign(suite.tests().begin(), suite.tests().end());
  catalog.work_types.assign(suite.work_types().begin(),
                            suite.work_types().end());
  auto key = [](const v1::TestDescription& test) {
    return std::tie(test.scenario().category(), test.name());
  };
  std::sort(catalog.scenarios.begin(), catalog.scenarios.end(),
            [&](const v1::TestDescription& a, const v1::TestDescription& b) {
              return key(a) < key(b);
            });
  return catalog;
}

absl::StatusOr<std::vector<v1::TestDescription>> ChooseScenarios(
    const Catalog& catalog, const std::string& category,
    const std::vector<std::string>& names) {
  std::vector<std::string> known;
  std::set<std::string> categories;
  for (const v1::TestDescription& test : catalog.scenarios) {
    known.push_back(test.name());
    categories.insert(test.scenario().category());
  }
  if (!category.empty() && categories.count(category) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no category \"", category, "\"; there are ",
                     absl::StrJoin(categories, ", ")));
  }
  for (const std::string& name : names) {
    if (!Contains(known, name)) return Unknown("scenario", name, known);
  }
  std::vector<v1::TestDescription> chosen;
  for (const v1::TestDescription& test : catalog.scenarios) {
    if (!category.empty() && test.scenario().category() != category) continue;
    if (!names.empty() && !Contains(names, test.name())) continue;
    chosen.push_back(test);
  }
  return chosen;
}

std::string NeedsText(const v1::TestDescription& scenario) {
  const v1::TopologyConstraints& c = scenario.constraints();
  std::vector<std::string> needs;
  if (c.min_cpus() > 1) needs.push_back(absl::StrCat(c.min_cpus(), " CPUs"));
  if (c.min_llcs() > 1) needs.push_back(absl::StrCat(c.min_llcs(), " LLCs"));
  if (c.min_numa_nodes() > 1) {
    needs.push_back(absl::StrCat(c.min_numa_nodes(), " NUMA nodes"));
  }
  return absl::StrJoin(needs, ", ");
}

std::string FlagsText(const v1::TestDescription& scenario) {
  const v1::ScenarioNote& note = scenario.scenario();
  std::string text = absl::StrJoin(note.required_flags(), "+");
  for (const std::string& flag : note.excluded_flags()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", "not ", flag);
  }
  return text;
}

}  // namespace ktstr::ktstrctl
