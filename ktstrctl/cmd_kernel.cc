// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdio>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/kernel_builds.h"
#include "ktstrctl/kernel_entries.h"
#include "ktstrctl/kernel_exit.h"
#include "ktstrctl/kernel_list.h"
#include "ktstrctl/kernel_options.h"
#include "ktstrctl/print.h"

namespace ktstr::ktstrctl {
namespace {

enum class Answer { kImage, kSchedulers };

int Locate(const std::string& spec, Answer answer) {
  auto cache = kernel::KernelCache::Open();
  if (!cache.ok()) return Complain(cache.status(), ExitFor(cache.status()));
  auto resolved = kernel::ResolveKernel(spec, *cache);
  if (!resolved.ok()) {
    return Complain(resolved.status(), ExitFor(resolved.status()));
  }
  if (answer == Answer::kImage) {
    Print(resolved->vmlinux_path + "\n");
    return kExitPassed;
  }
  if (resolved->schedulers.empty()) {
    return Complain(
        absl::NotFoundError(absl::StrCat(
            "kernel ", resolved->origin, " has no schedulers stored with it; ",
            "`ktstrctl kernel build` makes them with the kernel")),
        kExitUsage);
  }
  Print(absl::StrCat(Dirname(resolved->schedulers[0]), "\n"));
  return kExitPassed;
}

constexpr char kSpecHelp[] =
    "Path, version, series or cache key (default: discover)";

void AddBuild(CLI::App& kernel, Command& chosen) {
  auto specs = std::make_shared<std::vector<std::string>>();
  auto tree = std::make_shared<std::string>();
  auto fragment = std::make_shared<std::string>();
  auto is_forced = std::make_shared<bool>(false);
  CLI::App* build = kernel.add_subcommand(
      "build",
      "Build kernels: releases of kernel.org, installed source packages, "
      "commits, source trees");
  CLI::Option* named = build->add_option(
      "kernel", *specs,
      "6.12.57, 6.12 or 6 (the newest release of it), 6.12..6.17 (the newest "
      "of each series), deb:linux-source-6.12, git+URL#REF, or the path of a "
      "source tree, which is copied and not written to (default: the newest "
      "release that has matured)");
  CLI::Option* source =
      build->add_option("--source", *tree, "The path of a source tree");
  named->excludes(source);
  build->add_option("--fragment", *fragment,
                    "A file with further options, such as debug.config; they "
                    "win, and its name becomes part of the kernel's");
  build->add_flag("--force", *is_forced, "Build even when it is cached");
  build->callback([=, &chosen] {
    // A name without a slash is a directory here, too.
    const bool is_bare = tree->find('/') == tree->npos;
    if (!tree->empty()) *specs = {is_bare ? "./" + *tree : *tree};
    chosen = [=] { return BuildKernelsFor(*specs, *fragment, *is_forced); };
  });
}

void AddEntries(CLI::App& kernel, Command& chosen) {
  auto text = std::make_shared<std::string>();
  auto flag = std::make_shared<bool>(false);
  CLI::App* list = kernel.add_subcommand("list", "Show cached kernels");
  auto range = std::make_shared<std::string>();
  list->add_flag("--json", *flag, "Print one JSON object");
  list->add_option(
      "--range", *range,
      "The releases in A..B instead: what `build A..B` would build");
  list->callback([=, &chosen] {
    chosen = [=] {
      return range->empty() ? ListKernels(*flag) : ListRange(*range, *flag);
    };
  });
  CLI::App* show = kernel.add_subcommand(
      "show", "Show one kernel and what it can be used for");
  show->add_option("kernel", *text, kSpecHelp);
  show->add_flag("--json", *flag, "Print one JSON object");
  show->callback(
      [=, &chosen] { chosen = [=] { return ShowKernel(*text, *flag); }; });
  auto options = std::make_shared<kernel::CleanOptions>();
  CLI::App* clean = kernel.add_subcommand("clean", "Remove cached kernels");
  clean->add_option("--keep", options->keep, "The newest N usable ones stay")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  clean->add_flag("--corrupt-only", options->only_corrupt,
                  "Remove only what cannot be used");
  clean->add_flag("--force", *flag, "Do not ask");
  clean->callback(
      [=, &chosen] { chosen = [=] { return CleanKernels(*options, *flag); }; });
}

void AddOptions(CLI::App& kernel, Command& chosen) {
  auto text = std::make_shared<std::string>();
  auto names = std::make_shared<std::vector<std::string>>();
  auto flag = std::make_shared<bool>(false);
  CLI::App* config = kernel.add_subcommand(
      "config",
      "Print the options of a kernel, or those that kernels are built from");
  config->add_option("kernel", *text, "Path, version, series or cache key");
  config->callback(
      [=, &chosen] { chosen = [=] { return PrintKernelConfig(*text); }; });
  CLI::App* verify = kernel.add_subcommand(
      "verify", "Check the options of a kernel; exit 1 when one is missing");
  verify->add_option("kernel", *text, kSpecHelp);
  verify->add_option("--for", *names,
                     "What it must do, such as sched_ext (repeatable; "
                     "default: everything)");
  verify->add_flag("--json", *flag, "Print one JSON object");
  verify->callback([=, &chosen] {
    chosen = [=] { return VerifyKernel(*text, *names, *flag); };
  });
}

void AddPaths(CLI::App& kernel, Command& chosen) {
  auto text = std::make_shared<std::string>();
  CLI::App* path =
      kernel.add_subcommand("path", "Print the bootable image of a kernel");
  path->add_option("kernel", *text, kSpecHelp);
  path->callback(
      [=, &chosen] { chosen = [=] { return Locate(*text, Answer::kImage); }; });
  CLI::App* schedulers = kernel.add_subcommand(
      "schedulers", "Print the directory of schedulers built with a kernel");
  schedulers->add_option("kernel", *text, kSpecHelp);
  schedulers->callback([=, &chosen] {
    chosen = [=] { return Locate(*text, Answer::kSchedulers); };
  });
}

}  // namespace

void AddKernelCommands(CLI::App& app, Command& chosen) {
  CLI::App* kernel =
      app.add_subcommand("kernel", "Build, find, check and remove kernels");
  kernel->require_subcommand(1);
  AddBuild(*kernel, chosen);
  AddEntries(*kernel, chosen);
  AddOptions(*kernel, chosen);
  AddPaths(*kernel, chosen);
}

}  // namespace ktstr::ktstrctl
