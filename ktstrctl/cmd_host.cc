// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/host_cpus.h"
#include "base/proto_time.h"
#include "base/unique_fd.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/host_run.h"
#include "ktstrctl/interrupts.h"
#include "ktstrctl/print.h"
#include "ktstrctl/terminal.h"
#include "nlohmann/json.hpp"
#include "results/names.h"
#include "results/printable.h"
#include "results/report.h"
#include "results/table.h"
#include "results/variant_json.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;

constexpr char kLock[] = "/run/ktstr-host.lock";

struct HostFlags {
  HostRunOptions run;
  std::string duration = "20s";
  bool is_json = false;
};

// Held while scenarios run: they share one cgroup.
absl::StatusOr<UniqueFd> LockHost() {
  absl::StatusOr<UniqueFd> file = OpenFile(kLock, O_RDWR | O_CREAT, 0600);
  if (!file.ok()) return file.status();
  if (flock(file->get(), LOCK_EX | LOCK_NB) == 0) return file;
  return absl::FailedPreconditionError(
      "another `ktstrctl host` command is under way on this machine");
}

void Count(v1::Outcome outcome, v1::RunCounts& counts) {
  counts.set_total(counts.total() + 1);
  switch (outcome) {
    case v1::PASS:
      return counts.set_passed(counts.passed() + 1);
    case v1::FAIL:
      return counts.set_failed(counts.failed() + 1);
    case v1::SKIP:
      return counts.set_skipped(counts.skipped() + 1);
    case v1::MISS:
      return counts.set_missed(counts.missed() + 1);
    case v1::CANCELLED:
      return counts.set_cancelled(counts.cancelled() + 1);
    default:
      return counts.set_errors(counts.errors() + 1);
  }
}

int ExitCodeOf(const v1::RunCounts& counts) {
  if (counts.cancelled() > 0) return kExitCancelled;
  if (counts.failed() + counts.errors() > 0) return kExitFailed;
  return counts.missed() > 0 ? kExitMissed : kExitPassed;
}

void PrintLine(const v1::Variant& variant) {
  const v1::AttemptResult& result = variant.result();
  std::string line = absl::StrFormat(
      "%-9s %s", results::OutcomeName(result.outcome()), variant.spec().name());
  if (result.has_wall_time()) {
    absl::StrAppendFormat(
        &line, "  %.1f s",
        absl::ToDoubleSeconds(FromProtoDuration(result.wall_time())));
  }
  if (!result.reason().empty()) {
    absl::StrAppend(&line, "  ", results::PrintableLine(result.reason()));
  }
  Print(line + "\n");
  fflush(stdout);
}

// One `host run` from its plan to its exit code.
int RunPlan(const Catalog& catalog, const std::vector<HostVariant>& plan,
            const HostFlags& flags) {
  UniqueFd interrupted(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!interrupted) {
    return Complain(absl::ErrnoToStatus(errno, "eventfd"), kExitMissed);
  }
  absl::StatusOr<std::unique_ptr<Interrupts>> interrupts =
      Interrupts::Start([&](int) {
        uint64_t one = 1;
        ssize_t ignored = write(interrupted.get(), &one, sizeof(one));
        (void)ignored;  // it stays readable once it is
      });
  if (!interrupts.ok()) return Complain(interrupts.status(), kExitMissed);
  const bool has_colour = Terminal::Of(STDOUT_FILENO).has_colour;
  const absl::Duration start = RealClock().Monotonic();
  v1::RunCounts counts;
  json all = json::array();
  std::string reports;
  for (const HostVariant& variant : plan) {
    v1::Variant done =
        RunOnHost(catalog.program, variant, flags.run, interrupted.get());
    Count(done.result().outcome(), counts);
    if (flags.is_json) {
      all.push_back(
          json::parse(results::VariantJson(done, {}, {}, RealClock().Now())));
    } else {
      PrintLine(done);
    }
    if (results::NeedsReport(done)) {
      absl::StrAppend(&reports, "\n",
                      results::VariantReport(done, {.has_colour = has_colour}));
    }
    if (done.result().outcome() == v1::CANCELLED) break;
  }
  // A scenario removes its own; one that was killed did not.
  if (absl::StatusOr<std::string> cleaned = CleanUpHost(catalog.program);
      !cleaned.ok()) {
    return Complain(cleaned.status(), kExitMissed);
  }
  if (flags.is_json) {
    PrintJson({{"results", all}});
  } else {
    Print(absl::StrCat(
        reports, "\n",
        results::TotalsLine(
            counts, absl::ToDoubleSeconds(RealClock().Monotonic() - start)),
        "\n"));
  }
  return ExitCodeOf(counts);
}

int HostRun(HostFlags flags) {
  BlockInterrupts();
  if (!absl::ParseDuration(flags.duration, &flags.run.duration) ||
      flags.run.duration < absl::Milliseconds(100) ||
      flags.run.duration > absl::Hours(24)) {
    return Complain(
        absl::InvalidArgumentError(absl::StrCat(
            "--duration ", flags.duration,
            " is not a duration from 100ms to 24h, such as 20s or 1m30s")),
        kExitUsage);
  }
  absl::StatusOr<Catalog> catalog = ReadCatalog();
  if (!catalog.ok()) return Complain(catalog.status(), kExitMissed);
  absl::StatusOr<std::vector<HostVariant>> plan =
      PlanHostRun(*catalog, flags.run);
  if (!plan.ok()) return Complain(plan.status(), kExitUsage);
  if (absl::Status status = CheckHost(); !status.ok()) {
    return Complain(status, kExitUsage);
  }
  absl::StatusOr<UniqueFd> lock = LockHost();
  if (!lock.ok()) return Complain(lock.status(), kExitUsage);
  return RunPlan(*catalog, *plan, flags);
}

int HostCleanUp() {
  absl::StatusOr<Catalog> catalog = ReadCatalog();
  if (!catalog.ok()) return Complain(catalog.status(), kExitMissed);
  if (absl::Status status = CheckHost(); !status.ok()) {
    return Complain(status, kExitUsage);
  }
  absl::StatusOr<UniqueFd> lock = LockHost();
  if (!lock.ok()) return Complain(lock.status(), kExitUsage);
  absl::StatusOr<std::string> said = CleanUpHost(catalog->program);
  if (!said.ok()) return Complain(said.status(), kExitMissed);
  Print(*said);
  return kExitPassed;
}

struct MachineShape {
  int cpus = 0;
  int llcs = 0;
  int nodes = 0;
};

MachineShape ShapeOf(const std::vector<HostCpu>& cpus) {
  std::set<int> llcs;
  std::set<int> nodes;
  for (const HostCpu& cpu : cpus) {
    llcs.insert(cpu.llc);
    nodes.insert(cpu.node);
  }
  return {static_cast<int>(cpus.size()), static_cast<int>(llcs.size()),
          static_cast<int>(nodes.size())};
}

std::string LackOf(const v1::TestDescription& scenario,
                   const MachineShape& machine) {
  const v1::TopologyConstraints& c = scenario.constraints();
  std::vector<std::string> lacks;
  auto check = [&](int needed, int present, absl::string_view what) {
    if (needed > present) {
      lacks.push_back(absl::StrCat("needs ", needed, " ", what,
                                   ", the machine has ", present));
    }
  };
  check(c.min_cpus(), machine.cpus, "CPUs");
  check(c.min_llcs(), machine.llcs, "LLCs");
  check(c.min_numa_nodes(), machine.nodes, "NUMA nodes");
  return absl::StrJoin(lacks, "; ");
}

int HostList(const HostFlags& flags) {
  absl::StatusOr<Catalog> catalog = ReadCatalog();
  if (!catalog.ok()) return Complain(catalog.status(), kExitMissed);
  absl::StatusOr<std::vector<HostVariant>> plan =
      PlanHostRun(*catalog, flags.run);
  if (!plan.ok()) return Complain(plan.status(), kExitUsage);
  absl::StatusOr<std::vector<HostCpu>> cpus = ReadHostCpus(AllowedHostCpus());
  if (!cpus.ok()) return Complain(cpus.status(), kExitMissed);
  const MachineShape machine = ShapeOf(*cpus);
  json all = json::array();
  results::TextTable table({"SCENARIO", "PROFILE", "HERE", "DESCRIPTION"});
  for (const HostVariant& variant : *plan) {
    const std::string lack =
        variant.skip.empty() ? LackOf(variant.scenario, machine) : variant.skip;
    table.AddRow({variant.scenario.name(), variant.profile,
                  lack.empty() ? "runs" : lack,
                  variant.scenario.scenario().description()});
    all.push_back({{"scenario", variant.scenario.name()},
                   {"profile", variant.profile},
                   {"runs", lack.empty()},
                   {"reason", lack.empty() ? json() : json(lack)}});
  }
  if (flags.is_json) {
    PrintJson({{"scenarios", all}});
  } else {
    Print(table.ToString());
  }
  return kExitPassed;
}

int HostTopo(bool is_json) {
  absl::StatusOr<std::vector<HostCpu>> cpus = ReadHostCpus(AllowedHostCpus());
  if (!cpus.ok()) return Complain(cpus.status(), kExitMissed);
  // (node, LLC) -> core -> CPUs.
  std::map<std::pair<int, int>, std::map<int, std::vector<int>>> llcs;
  for (const HostCpu& cpu : *cpus) {
    llcs[{cpu.node, cpu.llc}][cpu.core].push_back(cpu.cpu);
  }
  const MachineShape machine = ShapeOf(*cpus);
  json all = json::array();
  results::TextTable table({"NODE", "LLC", "CORES", "CPUS"});
  int index = 0;
  for (const auto& [place, cores] : llcs) {
    std::vector<int> members;
    for (const auto& [core, threads] : cores) {
      members.insert(members.end(), threads.begin(), threads.end());
    }
    std::sort(members.begin(), members.end());
    table.AddRow({absl::StrCat(place.first), absl::StrCat(index),
                  absl::StrCat(cores.size()), FormatCpuList(members)});
    all.push_back({{"node", place.first},
                   {"llc", index++},
                   {"cores", cores.size()},
                   {"cpus", members}});
  }
  if (is_json) {
    PrintJson(
        {{"cpus", machine.cpus}, {"numa_nodes", machine.nodes}, {"llcs", all}});
  } else {
    Print(absl::StrCat(machine.cpus, " CPUs, ", machine.llcs, " LLCs, ",
                       machine.nodes, " NUMA nodes\n", table.ToString()));
  }
  return kExitPassed;
}

void AddChoice(CLI::App* command, HostFlags& flags) {
  command->add_option("scenario", flags.run.scenarios,
                      "Scenarios; all by default");
  command->add_option("--category", flags.run.category, "Only these");
  command
      ->add_option("--flags", flags.run.flags,
                   "Flags of the scheduler that runs here, such as llc,borrow")
      ->delimiter(',')
      ->each([&flags](const std::string&) { flags.run.has_flags = true; });
  command
      ->add_flag("--all-profiles", flags.run.has_all_profiles,
                 "Each scenario under every valid set of flags")
      ->excludes("--flags");
  command->add_flag("--json", flags.is_json, "Print one JSON object");
}

}  // namespace

void AddHostCommands(CLI::App& app, Command& chosen) {
  auto flags = std::make_shared<HostFlags>();
  CLI::App* host = app.add_subcommand(
      "host", "Scenarios on this machine, under whatever scheduler runs");
  host->require_subcommand(1);

  CLI::App* run = host->add_subcommand(
      "run", "Run scenarios of the catalogue here (root, cgroup v2)");
  AddChoice(run, *flags);
  run->add_option("--duration", flags->duration, "Of each, such as 20s");
  run->add_option("--workers", flags->run.workers, "Workers a cgroup")
      ->check(CLI::Range(1, 4096));
  run->add_option("--work-type", flags->run.work_type,
                  "What swappable workers do, by name (\"YieldHeavy\")");
  run->add_option("--seed", flags->run.seed, "Of random choices");
  run->add_flag("--overcommitted", flags->run.is_overcommitted,
                "This machine shares its CPUs: judge by what it was given");
  run->callback(
      [flags, &chosen] { chosen = [flags] { return HostRun(*flags); }; });

  CLI::App* list = host->add_subcommand(
      "list", "Show what would run, and why others would not");
  AddChoice(list, *flags);
  list->callback(
      [flags, &chosen] { chosen = [flags] { return HostList(*flags); }; });

  CLI::App* topo =
      host->add_subcommand("topo", "Show the machine as scenarios see it");
  topo->add_flag("--json", flags->is_json, "Print one JSON object");
  topo->callback([flags, &chosen] {
    chosen = [flags] { return HostTopo(flags->is_json); };
  });

  CLI::App* cleanup = host->add_subcommand(
      "cleanup", "End processes and remove cgroups that a run left behind");
  cleanup->callback([&chosen] { chosen = [] { return HostCleanUp(); }; });
}

}  // namespace ktstr::ktstrctl
