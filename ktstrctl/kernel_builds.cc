// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/kernel_builds.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/unique_fd.h"
#include "kernel/build_many.h"
#include "kernel/cache.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/interrupts.h"
#include "ktstrctl/kernel_exit.h"
#include "ktstrctl/libexec.h"
#include "ktstrctl/terminal.h"
#include "results/printable.h"

namespace ktstr::ktstrctl {
namespace {

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
    // While several are downloaded, the lines of one are not those of another.
    const std::string what = progress.stage == kernel::BuildStage::kDownloading
                                 ? progress.detail
                                 : "";
    if (progress.stage == stage_ && what == what_ && tenth == tenth_) return;
    stage_ = progress.stage;
    what_ = what;
    tenth_ = tenth;
    fprintf(stderr, "%s\n", line.c_str());
  }
  // Takes the redrawn line away, before other text.
  void Clear() {
    if (is_drawn_) fprintf(stderr, "\r\x1b[K");
    is_drawn_ = false;
  }
  ~BuildView() { Clear(); }

 private:
  static int64_t Tenth(const kernel::BuildProgress& progress) {
    if (progress.bytes_expected > 0 &&
        progress.stage == kernel::BuildStage::kDownloading) {
      return progress.bytes * 10 / progress.bytes_expected;
    }
    if (progress.objects_expected <= 0) return 0;
    return progress.objects * 10 / progress.objects_expected;
  }

  static double MiB(uint64_t bytes) { return double(bytes) / (1 << 20); }

  static std::string Line(const kernel::BuildProgress& progress) {
    std::string line = absl::StrCat(
        kernel::BuildStageName(progress.stage), "  ",
        results::ShortDuration(absl::ToDoubleSeconds(progress.elapsed)));
    if (progress.stage == kernel::BuildStage::kCompiling &&
        progress.objects_expected > 0) {
      absl::StrAppendFormat(&line, "  %d of about %d objects", progress.objects,
                            progress.objects_expected);
    }
    if (progress.stage == kernel::BuildStage::kDownloading &&
        progress.bytes > 0) {
      absl::StrAppendFormat(&line, "  %.1f", MiB(progress.bytes));
      if (progress.bytes_expected > 0) {
        absl::StrAppendFormat(&line, " of %.1f", MiB(progress.bytes_expected));
      }
      absl::StrAppend(&line, " MiB");
    }
    if (!progress.detail.empty()) {
      absl::StrAppend(&line, "  ",
                      results::PrintableLine(progress.detail, 100));
    }
    return line;
  }

  const Terminal terminal_ = Terminal::Of(STDERR_FILENO);
  kernel::BuildStage stage_ = kernel::BuildStage::kUnspecified;
  std::string what_;
  int64_t tenth_ = -1;
  bool is_drawn_ = false;
};

// What a person is told of the kernels, as they are done.
class BuildReport {
 public:
  explicit BuildReport(BuildView* view) : view_(view) {}

  void Note(absl::string_view kind, const std::string& text) {
    view_->Clear();
    fprintf(stderr, "ktstrctl: %s: %s\n", std::string(kind).c_str(),
            results::PrintableLine(text, 2000).c_str());
  }

  void Add(const std::string& spec,
           const absl::StatusOr<kernel::BuildResult>& result) {
    view_->Clear();
    ++count_;
    if (!result.ok()) {
      exit_code_ = Complain(result.status(), ExitFor(result.status()));
      failed_.push_back(spec.empty() ? "the newest" : spec);
      return;
    }
    if (!result->warning.empty()) Note("warning", result->warning);
    if (result->entry.metadata.is_dirty) {
      Note("note",
           absl::StrCat(spec,
                        " is no clean git checkout: the kernel is built "
                        "each time, and only its key finds it"));
    }
    const std::string took =
        results::ShortDuration(absl::ToDoubleSeconds(result->took));
    printf(
        "%s  %s  %s\n", result->entry.key.c_str(),
        result->was_cached ? "cached" : absl::StrCat("built in ", took).c_str(),
        result->entry.vmlinux_path.c_str());
    fflush(stdout);
  }

  // The exit code, and a last word when some failed among several.
  int Finish(size_t wanted) {
    if (failed_.empty() || wanted <= 1) return exit_code_;
    Note("error", absl::StrCat(count_ - failed_.size(), " of ", wanted,
                               " kernels are there; not: ",
                               absl::StrJoin(failed_, ", ")));
    return exit_code_ == kExitCancelled ? kExitCancelled : kExitFailed;
  }

 private:
  BuildView* const view_;
  size_t count_ = 0;
  std::vector<std::string> failed_;
  int exit_code_ = kExitPassed;
};

}  // namespace

std::string FetchProgram() {
  return FindProgramOfOurs("ktstr_fetch").value_or("");
}

int BuildKernelsFor(const std::vector<std::string>& specs,
                    const std::string& fragment, bool is_forced) {
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
  BuildView view;
  BuildReport report(&view);
  const kernel::BuildOptions options = {
      .fragment = fragment,
      .force = is_forced,
      .cancel_fd = cancel.get(),
      .on_progress =
          [&view](const kernel::BuildProgress& progress) {
            view.Show(progress);
          },
      .on_note =
          [&report](const std::string& note) { report.Note("note", note); },
      .fetch_program = FetchProgram()};
  auto expanded = kernel::ExpandSpecs(*cache, options, specs);
  if (!expanded.ok()) {
    return Complain(expanded.status(), ExitFor(expanded.status()));
  }
  kernel::BuildKernels(
      *cache, options, *expanded,
      [&report](const std::string& spec,
                const absl::StatusOr<kernel::BuildResult>& result) {
        report.Add(spec, result);
      });
  return report.Finish(expanded->size());
}

}  // namespace ktstr::ktstrctl
