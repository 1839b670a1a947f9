// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/kernel_options.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "kconfig/fragments.h"
#include "kconfig/parse.h"
#include "kconfig/verify.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/kernel_exit.h"
#include "ktstrctl/print.h"
#include "nlohmann/json.hpp"
#include "results/printable.h"
#include "results/table.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;
using ::ktstr::kconfig::Requirement;
using ::ktstr::kconfig::RequirementName;

struct ConfiguredKernel {
  std::string origin;
  kconfig::Kconfig config;
};

absl::StatusOr<ConfiguredKernel> Find(const std::string& spec) {
  ABSL_ASSIGN_OR_RETURN(kernel::KernelCache cache, kernel::KernelCache::Open());
  ABSL_ASSIGN_OR_RETURN(kernel::ResolvedKernel kernel,
                        kernel::ResolveKernel(spec, cache));
  if (!kernel.config) {
    return absl::FailedPreconditionError(absl::StrCat(
        "kernel ", kernel.origin,
        " does not say how it was configured: it carries no configuration "
        "(CONFIG_IKCONFIG), and none lies beside it"));
  }
  return ConfiguredKernel{kernel.origin, *std::move(kernel.config)};
}

absl::StatusOr<std::vector<Requirement>> Parse(
    const std::vector<std::string>& names) {
  const auto all = kconfig::AllRequirements();
  if (names.empty()) return std::vector<Requirement>(all.begin(), all.end());
  std::vector<Requirement> chosen;
  for (const std::string& name : names) {
    auto found =
        std::find_if(all.begin(), all.end(), [&name](Requirement requirement) {
          return RequirementName(requirement) == name;
        });
    if (found == all.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "nothing is called ", results::PrintableLine(name, 100), "; known: ",
          absl::StrJoin(all, ", ",
                        [](std::string* out, Requirement requirement) {
                          absl::StrAppend(out, RequirementName(requirement));
                        })));
    }
    chosen.push_back(*found);
  }
  return chosen;
}

struct Checked {
  Requirement requirement;
  std::vector<kconfig::MissingOption> missing;
};

void PrintTable(const std::vector<Checked>& all) {
  results::TextTable table({"NEEDED FOR", "OPTION", "WANTED", "IS", "LOST"});
  for (const Checked& checked : all) {
    const std::string name(RequirementName(checked.requirement));
    if (checked.missing.empty()) table.AddRow({name, "all there", "", "", ""});
    for (const kconfig::MissingOption& missing : checked.missing) {
      table.AddRow({name, absl::StrCat("CONFIG_", missing.option),
                    missing.wanted, missing.actual, missing.feature});
    }
  }
  Print(table.ToString());
}

void PrintCheckedJson(const std::string& origin,
                      const std::vector<Checked>& all) {
  json requirements = json::array();
  for (const Checked& checked : all) {
    json missing = json::array();
    for (const kconfig::MissingOption& option : checked.missing) {
      missing.push_back({{"option", absl::StrCat("CONFIG_", option.option)},
                         {"wanted", option.wanted},
                         {"actual", option.actual},
                         {"lost", option.feature}});
    }
    requirements.push_back(
        {{"name", std::string(RequirementName(checked.requirement))},
         {"is_met", checked.missing.empty()},
         {"missing", std::move(missing)}});
  }
  json out = {{"kernel", origin}, {"requirements", std::move(requirements)}};
  PrintJson(out);
}

}  // namespace

int PrintKernelConfig(const std::string& spec) {
  if (spec.empty()) {
    for (const kconfig::Fragment& fragment : kconfig::EmbeddedFragments()) {
      Print(absl::StrCat("## ", fragment.name, "\n", fragment.text));
    }
    return kExitPassed;
  }
  auto kernel = Find(spec);
  if (!kernel.ok()) return Complain(kernel.status(), ExitFor(kernel.status()));
  for (const auto& [option, value] : kernel->config.options()) {
    Print(value == "n" ? absl::StrCat("# CONFIG_", option, " is not set\n")
                       : absl::StrCat("CONFIG_", option, "=", value, "\n"));
  }
  return kExitPassed;
}

int VerifyKernel(const std::string& spec,
                 const std::vector<std::string>& requirements, bool is_json) {
  auto chosen = Parse(requirements);
  if (!chosen.ok()) return Complain(chosen.status(), ExitFor(chosen.status()));
  auto kernel = Find(spec);
  if (!kernel.ok()) return Complain(kernel.status(), ExitFor(kernel.status()));
  std::vector<Checked> all;
  for (Requirement requirement : *chosen) {
    all.push_back({requirement, MissingFor(requirement, kernel->config)});
  }
  if (is_json) {
    PrintCheckedJson(kernel->origin, all);
  } else {
    PrintTable(all);
  }
  const bool is_met = std::all_of(
      all.begin(), all.end(),
      [](const Checked& checked) { return checked.missing.empty(); });
  return is_met ? kExitPassed : kExitFailed;
}

}  // namespace ktstr::ktstrctl
