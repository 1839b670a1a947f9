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
#include "ktstrctl/terminal.h"
#include "nlohmann/json.hpp"
#include "results/printable.h"
#include "results/table.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;

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

// Bad input and what a person has to install are usage; the rest is ours.
int ExitFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
      return kExitUsage;
    case absl::StatusCode::kCancelled:
      return kExitCancelled;
    default:
      return kExitFailed;
  }
}

int Build(const std::string& version, bool is_forced) {
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
        *cache, {.version = version,
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
  Print(absl::StrCat(
      result->entry.key, "  ",
      result->was_cached
          ? "cached"
          : absl::StrCat("built in ", results::ShortDuration(
                                          absl::ToDoubleSeconds(result->took))),
      "  ", result->entry.vmlinux_path, "\n"));
  return kExitPassed;
}

json EntryJson(const kernel::ListedKernel& listed) {
  const kernel::KernelEntry& entry = listed.entry;
  bool is_valid = listed.state != kernel::ListedKernel::State::kCorrupt;
  json out = {
      {"key", entry.key},
      {"state", std::string(kernel::StateName(listed.state))},
      {"problem", listed.problem.empty() ? json() : json(listed.problem)},
      {"dir", entry.dir}};
  if (!is_valid) return out;
  out["version"] = entry.metadata.version;
  out["source"] = entry.metadata.source;
  out["arch"] = entry.metadata.arch;
  out["built_at"] = absl::FormatTime(
      "%Y-%m-%dT%H:%M:%SZ", entry.metadata.built_at, absl::UTCTimeZone());
  out["fragments_hash"] = entry.metadata.fragments_hash;
  out["vmlinux"] = entry.vmlinux_path;
  out["schedulers"] = entry.schedulers;
  return out;
}

int List(bool is_json) {
  auto cache = kernel::KernelCache::Open();
  if (!cache.ok()) return Complain(cache.status(), ExitFor(cache.status()));
  auto listed = cache->List();
  if (!listed.ok()) return Complain(listed.status(), ExitFor(listed.status()));
  if (is_json) {
    json entries = json::array();
    for (const kernel::ListedKernel& kernel : *listed) {
      entries.push_back(EntryJson(kernel));
    }
    Print(entries.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
    return kExitPassed;
  }
  results::TextTable table(
      {"KEY", "VERSION", "SOURCE", "ARCH", "BUILT", "STATE"});
  for (const kernel::ListedKernel& kernel : *listed) {
    const kernel::KernelMetadata& metadata = kernel.entry.metadata;
    bool is_corrupt = kernel.state == kernel::ListedKernel::State::kCorrupt;
    table.AddRow(
        {kernel.entry.key, metadata.version, metadata.source, metadata.arch,
         is_corrupt ? ""
                    : absl::FormatTime("%Y-%m-%d %H:%M", metadata.built_at,
                                       absl::LocalTimeZone()),
         absl::StrCat(kernel::StateName(kernel.state),
                      kernel.problem.empty() ? "" : ": ", kernel.problem)});
  }
  Print(table.ToString());
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

}  // namespace

void AddKernelCommands(CLI::App& app, Command& chosen) {
  auto text = std::make_shared<std::string>();
  auto flag = std::make_shared<bool>(false);
  CLI::App* kernel = app.add_subcommand("kernel", "Build and find kernels");
  kernel->require_subcommand(1);
  CLI::App* build = kernel->add_subcommand(
      "build", "Build a kernel from the installed linux-source package");
  build->add_option("version", *text, "Series, such as 6.12")->required();
  build->add_flag("--force", *flag, "Build even when it is cached");
  build->callback(
      [=, &chosen] { chosen = [=] { return Build(*text, *flag); }; });
  CLI::App* list = kernel->add_subcommand("list", "Show cached kernels");
  list->add_flag("--json", *flag, "Print one JSON array");
  list->callback([=, &chosen] { chosen = [=] { return List(*flag); }; });
  CLI::App* path =
      kernel->add_subcommand("path", "Print the bootable image of a kernel");
  path->add_option("kernel", *text, "Path, version, series or cache key");
  path->callback(
      [=, &chosen] { chosen = [=] { return Locate(*text, Answer::kImage); }; });
  CLI::App* schedulers = kernel->add_subcommand(
      "schedulers", "Print the directory of schedulers built with a kernel");
  schedulers->add_option("kernel", *text, "Path, version, series or cache key");
  schedulers->callback([=, &chosen] {
    chosen = [=] { return Locate(*text, Answer::kSchedulers); };
  });
}

}  // namespace ktstr::ktstrctl
