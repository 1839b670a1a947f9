// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gauntlet/filter.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/fleet_client.h"
#include "ktstrctl/print.h"
#include "ktstrctl/run_summary.h"
#include "ktstrctl/terminal.h"
#include "proto/fleet.pb.h"
#include "results/report.h"
#include "results/table.h"

namespace ktstr::ktstrctl {
namespace {

struct FleetFlags {
  std::string coordinator;
  std::string run_id;
  std::vector<std::string> variants;
  bool is_json = false;
};

std::string StateOf(const v1::Host& host) {
  if (!host.is_alive()) return "lost";
  return host.unusable_reason().empty() ? "ready" : "unusable";
}

int ShowHosts(const FleetFlags& flags) {
  auto client = FleetClient::Connect(flags.coordinator);
  if (!client.ok()) return Complain(client.status(), kExitUsage);
  auto hosts = (*client)->ListHosts();
  if (!hosts.ok()) return Complain(hosts.status(), kExitMissed);
  if (flags.is_json) {
    Print(HostsJson(*hosts));
    return kExitPassed;
  }
  results::TextTable table({"HOST", "STATE", "CPUS", "IN USE", "MIB", "CLASS",
                            "CPU MODEL", "REASON"});
  for (const v1::Host& host : hosts->hosts()) {
    table.AddRow({host.host_id(), StateOf(host), absl::StrCat(host.cpus()),
                  absl::StrCat(host.cpus_in_use()),
                  absl::StrCat(host.context().memory_mib()),
                  host.context().host_class(), host.context().cpu_model(),
                  host.unusable_reason()});
  }
  Print(table.ToString(Terminal::Of(STDOUT_FILENO).width));
  return kExitPassed;
}

// Everything about the variants that were asked for, whole logs included.
int ShowVariants(const FleetFlags& flags,
                 absl::Span<const v1::Variant* const> variants) {
  gauntlet::Filter filter(flags.variants);
  std::vector<std::string> names;
  std::string text;
  for (const v1::Variant* variant : variants) {
    const v1::VariantSpec& spec = variant->spec();
    names.push_back(spec.name());
    if (!filter.Wants(spec.test(), spec.name(), false)) continue;
    if (variant->state() == v1::DONE) {
      absl::StrAppend(
          &text,
          results::VariantReport(
              *variant, {.has_colour = Terminal::Of(STDOUT_FILENO).has_colour,
                         .is_verbose = true}),
          "\n");
    } else {
      absl::StrAppend(&text, spec.name(), " is not finished\n\n");
    }
  }
  absl::Status matched = filter.CheckEveryPatternMatched(names);
  if (!matched.ok()) return Complain(matched, kExitUsage);
  Print(text);
  return kExitPassed;
}

int ShowRun(const FleetFlags& flags) {
  auto client = FleetClient::Connect(flags.coordinator);
  if (!client.ok()) return Complain(client.status(), kExitUsage);
  auto response = (*client)->GetRun(flags.run_id);
  if (!response.ok()) {
    return Complain(response.status(), absl::IsNotFound(response.status())
                                           ? kExitUsage
                                           : kExitMissed);
  }
  std::vector<const v1::Variant*> variants;
  for (const v1::Variant& variant : response->variants()) {
    variants.push_back(&variant);
  }
  if (flags.is_json) {
    Print(RunSummaryJson(response->run(), variants, "", -1));
    return kExitPassed;
  }
  if (!flags.variants.empty()) return ShowVariants(flags, variants);
  Terminal terminal = Terminal::Of(STDOUT_FILENO);
  for (const v1::Variant* variant : variants) {
    if (!results::NeedsReport(*variant)) continue;
    Print(
        results::VariantReport(*variant, {.has_colour = terminal.has_colour}));
    Print("\n");
  }
  Print(results::VariantTable(variants, terminal.width, terminal.has_colour));
  const v1::RunCounts& counts = response->run().counts();
  Print(absl::StrCat(counts.total(), " variants: ", counts.passed(),
                     " passed, ", counts.failed(), " failed, ", counts.errors(),
                     " error, ", counts.missed(), " missed, ",
                     counts.pending() + counts.leased(), " unfinished\n"));
  return kExitPassed;
}

}  // namespace

void AddFleetCommands(CLI::App& app, Command& chosen) {
  auto flags = std::make_shared<FleetFlags>();
  auto add_common = [&](CLI::App* command) {
    command
        ->add_option("--coordinator", flags->coordinator,
                     "unix:PATH or HOST:PORT")
        ->required();
    command->add_flag("--json", flags->is_json, "Print JSON");
  };
  CLI::App* hosts = app.add_subcommand("hosts", "Show the hosts of a fleet");
  add_common(hosts);
  hosts->callback(
      [flags, &chosen] { chosen = [flags] { return ShowHosts(*flags); }; });
  CLI::App* show = app.add_subcommand("show", "Show a run of a fleet");
  show->add_option("run", flags->run_id, "Run id")->required();
  show->add_option("variant", flags->variants,
                   "Names or globs of tests or variants: their whole reports, "
                   "phase by phase, with their logs");
  add_common(show);
  show->callback(
      [flags, &chosen] { chosen = [flags] { return ShowRun(*flags); }; });
}

}  // namespace ktstr::ktstrctl
