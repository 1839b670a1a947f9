// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/kernel_entries.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "kconfig/verify.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/kernel_exit.h"
#include "ktstrctl/kernel_list.h"
#include "ktstrctl/print.h"
#include "ktstrctl/terminal.h"
#include "nlohmann/json.hpp"
#include "results/printable.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;

// A kernel as `show` finds it; the entry only when it is a cached one.
struct Shown {
  kernel::ResolvedKernel kernel;
  std::optional<kernel::ListedKernel> entry;
  int64_t image_bytes = 0;
};

absl::StatusOr<Shown> Find(const std::string& spec) {
  ABSL_ASSIGN_OR_RETURN(kernel::KernelCache cache, kernel::KernelCache::Open());
  Shown shown;
  ABSL_ASSIGN_OR_RETURN(shown.kernel, kernel::ResolveKernel(spec, cache));
  struct stat status = {};
  if (stat(shown.kernel.vmlinux_path.c_str(), &status) == 0) {
    shown.image_bytes = status.st_size;
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<kernel::ListedKernel> listed, cache.List());
  for (kernel::ListedKernel& kernel : listed) {
    if (kernel.entry.vmlinux_path == shown.kernel.vmlinux_path) {
      shown.entry = std::move(kernel);
    }
  }
  return shown;
}

// The names of what the kernel can be used for, or of what it cannot.
std::vector<std::string> Uses(const kconfig::Kconfig& config, bool is_met) {
  std::vector<std::string> names;
  for (kconfig::Requirement requirement : kconfig::AllRequirements()) {
    if (kconfig::MissingFor(requirement, config).empty() == is_met) {
      names.emplace_back(kconfig::RequirementName(requirement));
    }
  }
  return names;
}

std::vector<std::string> SchedulerNames(const kernel::ResolvedKernel& kernel) {
  std::vector<std::string> names;
  for (const std::string& path : kernel.schedulers) {
    names.emplace_back(Basename(path));
  }
  return names;
}

void PrintShown(const Shown& shown) {
  auto line = [](absl::string_view name, const std::string& value) {
    Print(absl::StrFormat("%-12s%s\n", name,
                          value.empty() ? "-" : results::PrintableLine(value)));
  };
  const kernel::ResolvedKernel& kernel = shown.kernel;
  line("found", kernel.origin);
  line("version", kernel.version);
  line("label", kernel.label);
  line("image", absl::StrFormat("%s (%.1f MiB)", kernel.vmlinux_path,
                                double(shown.image_bytes) / (1 << 20)));
  if (shown.entry) {
    const kernel::KernelMetadata& metadata = shown.entry->entry.metadata;
    line("state", std::string(kernel::StateName(shown.entry->state)));
    line("source", metadata.source_package.empty() ? metadata.source
                                                   : metadata.source_package);
    line("built",
         absl::StrCat(absl::FormatTime("%Y-%m-%d %H:%M", metadata.built_at,
                                       absl::LocalTimeZone()),
                      " with ", metadata.toolchain, " in ",
                      results::ShortDuration(
                          absl::ToDoubleSeconds(metadata.build_time))));
  }
  line("schedulers", absl::StrJoin(SchedulerNames(kernel), ", "));
  if (!kernel.config) {
    line("good for", "unknown: it does not say how it was configured");
    return;
  }
  line("good for", absl::StrJoin(Uses(*kernel.config, true), ", "));
  const std::string lacks = absl::StrJoin(Uses(*kernel.config, false), ", ");
  line("not for", lacks.empty() ? ""
                                : absl::StrCat(lacks,
                                               "  (ktstrctl kernel "
                                               "verify says why)"));
}

void PrintShownJson(const Shown& shown) {
  const kernel::ResolvedKernel& kernel = shown.kernel;
  json out = {{"found", kernel.origin},
              {"version", kernel.version},
              {"label", kernel.label},
              {"vmlinux", kernel.vmlinux_path},
              {"vmlinux_bytes", shown.image_bytes},
              {"entry", shown.entry ? EntryJson(*shown.entry) : json()},
              {"schedulers", kernel.schedulers}};
  out["good_for"] = kernel.config ? json(Uses(*kernel.config, true)) : json();
  out["not_for"] = kernel.config ? json(Uses(*kernel.config, false)) : json();
  PrintJson(out);
}

// Asks on the terminal; anything but y or yes is a no.
bool Confirm(const std::string& question) {
  fprintf(stderr, "%s [y/N] ", question.c_str());
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

std::string Kernels(size_t count) {
  return absl::StrCat(count, count == 1 ? " kernel" : " kernels");
}

std::string Doomed(const kernel::CleanPlan& plan) {
  std::string text = Kernels(plan.removed.size());
  if (plan.trees.empty()) return text;
  return absl::StrCat(
      text, " and the copies of ", plan.trees.size(),
      plan.trees.size() == 1 ? " source tree" : " source trees");
}

}  // namespace

int ShowKernel(const std::string& spec, bool is_json) {
  auto shown = Find(spec);
  if (!shown.ok()) return Complain(shown.status(), ExitFor(shown.status()));
  if (is_json) {
    PrintShownJson(*shown);
  } else {
    PrintShown(*shown);
  }
  return kExitPassed;
}

int CleanKernels(const kernel::CleanOptions& options, bool is_forced) {
  auto cache = kernel::KernelCache::Open();
  if (!cache.ok()) return Complain(cache.status(), ExitFor(cache.status()));
  auto listed = cache->List();
  if (!listed.ok()) return Complain(listed.status(), ExitFor(listed.status()));
  const kernel::CleanPlan plan =
      kernel::PlanClean(*listed, cache->KeptTrees(), options);
  if (plan.is_empty()) {
    Print(absl::StrCat("nothing to remove; ", Kernels(plan.kept.size()),
                       plan.kept.size() == 1 ? " stays\n" : " stay\n"));
    return kExitPassed;
  }
  if (!is_forced) {
    if (!Terminal::Of(STDIN_FILENO).is_terminal) {
      return Complain(
          absl::FailedPreconditionError(absl::StrCat(
              "kernel clean would remove ", Doomed(plan),
              " and nobody can be asked here; --force does it unasked")),
          kExitUsage);
    }
    for (const kernel::ListedKernel& kernel : plan.removed) {
      fprintf(stderr, "kernel %s\n", kernel.entry.key.c_str());
    }
    if (!Confirm(absl::StrCat("remove ", Doomed(plan), "?"))) {
      return kExitCancelled;
    }
  }
  const kernel::CleanResult result = kernel::Clean(*cache, plan);
  for (const std::string& what : result.removed) {
    Print(absl::StrCat("removed ", what, "\n"));
  }
  for (const std::string& problem : result.problems) {
    Complain(absl::UnavailableError(problem), kExitFailed);
  }
  return result.problems.empty() ? kExitPassed : kExitFailed;
}

}  // namespace ktstr::ktstrctl
