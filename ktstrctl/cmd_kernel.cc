// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "kernel/build.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/interrupts.h"
#include "ktstrctl/kernel_entries.h"
#include "ktstrctl/kernel_exit.h"
#include "ktstrctl/kernel_options.h"
#include "ktstrctl/terminal.h"
#include "results/printable.h"

namespace ktstr::ktstrctl {
namespace {

void Print(const std::string& text) {
  fwrite(text.data(), 1, text.size(), stdout);
}

// Build progress on standard error: one line that is redrawn on a terminal,
// elsewhere one line a stage and one every tenth of the objects.
class BuildView {
 public:
  void Show(const kernel::BuildProgress& progress) {
    std::string line = Line(progress);
    if (terminal_.is_terminal) {
      line.resize(std::min<size_t>(line.size(), terminal_.width - 1));
      fprintf(stderr, "\r\x1b[K%s", line.c_str());
      is_drawn_ = true;
      return;
    }
    int64_t tenth = Tenth(progress);
    if (progress.stage == stage_ && tenth == tenth_) return;
    stage_ = progress.stage;
    tenth_ = tenth;
    fprintf(stderr, "%s\n", line.c_str());
  }
  ~BuildView() {
    if (is_drawn_) fprintf(stderr, "\r\x1b[K");
  }

 private:
  static int64_t Tenth(const kernel::BuildProgress& progress) {
    if (progress.objects_expected <= 0) return 0;
    return progress.objects * 10 / progress.objects_expected;
  }

  static std::string Line(const kernel::BuildProgress& progress) {
    std::string line = absl::StrCat(
        kernel::BuildStageName(progress.stage), "  ",
        results::ShortDuration(absl::ToDoubleSeconds(progress.elapsed)));
    if (progress.stage == kernel::BuildStage::kCompiling &&
        progress.objects_expected > 0) {
      absl::StrAppendFormat(&line, "  %d of about %d objects", progress.objects,
                            progress.objects_expected);
    }
    if (!progress.detail.empty()) {
      absl::StrAppend(&line, "  ",
                      results::PrintableLine(progress.detail, 100));
    }
    return line;
  }

  const Terminal terminal_ = Terminal::Of(STDERR_FILENO);
  kernel::BuildStage stage_ = kernel::BuildStage::kUnspecified;
  int64_t tenth_ = -1;
  bool is_drawn_ = false;
};

int Build(const std::string& spec, const std::string& fragment,
          bool is_forced) {
  BlockInterrupts();
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
  auto interrupts = Interrupts::Start([&cancel](int count) {
    if (count > 1) _exit(kExitCancelled);
    uint64_t one = 1;
    ssize_t ignored = write(cancel.get(), &one, sizeof(one));
    (void)ignored;  // an eventfd takes a one
  });
  if (!interrupts.ok()) return Complain(interrupts.status(), kExitFailed);
  auto cache = kernel::KernelCache::Open();
  if (!cache.ok()) return Complain(cache.status(), ExitFor(cache.status()));
  absl::StatusOr<kernel::BuildResult> result;
  {
    BuildView view;
    result = kernel::BuildKernel(
        *cache, {.spec = spec,
                 .fragment = fragment,
                 .force = is_forced,
                 .cancel_fd = cancel.get(),
                 .on_progress = [&view](const kernel::BuildProgress& progress) {
                   view.Show(progress);
                 }});
  }
  if (!result.ok()) return Complain(result.status(), ExitFor(result.status()));
  if (!result->warning.empty()) {
    fprintf(stderr, "ktstrctl: warning: %s\n",
            results::PrintableLine(result->warning).c_str());
  }
  if (result->entry.metadata.is_dirty) {
    fprintf(stderr,
            "ktstrctl: note: %s is no clean git checkout: the kernel is built "
            "each time, and only its key finds it\n",
            spec.c_str());
  }
  Print(absl::StrCat(
      result->entry.key, "  ",
      result->was_cached
          ? "cached"
          : absl::StrCat("built in ", results::ShortDuration(
                                          absl::ToDoubleSeconds(result->took))),
      "  ", result->entry.vmlinux_path, "\n"));
  return kExitPassed;
}

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
  auto spec = std::make_shared<std::string>();
  auto tree = std::make_shared<std::string>();
  auto fragment = std::make_shared<std::string>();
  auto is_forced = std::make_shared<bool>(false);
  CLI::App* build = kernel.add_subcommand(
      "build", "Build a kernel from an installed package or a source tree");
  CLI::Option* named = build->add_option(
      "kernel", *spec,
      "6.12, 6 (newest installed series), deb:linux-source-6.12, or the path "
      "of a source tree, which is copied and not written to");
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
    if (!tree->empty()) *spec = is_bare ? "./" + *tree : *tree;
    chosen = [=] { return Build(*spec, *fragment, *is_forced); };
  });
}

void AddEntries(CLI::App& kernel, Command& chosen) {
  auto text = std::make_shared<std::string>();
  auto flag = std::make_shared<bool>(false);
  CLI::App* list = kernel.add_subcommand("list", "Show cached kernels");
  list->add_flag("--json", *flag, "Print one JSON array");
  list->callback([=, &chosen] { chosen = [=] { return ListKernels(*flag); }; });
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
