// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/build_many.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "kernel/plan.h"
#include "kernel/spec.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kMaxDownloads = 4;

// Gets the code of one kernel, unless the cache has the kernel.
absl::Status Prefetch(const KernelCache& cache, const BuildOptions& options) {
  ABSL_ASSIGN_OR_RETURN(BuildPlan plan, MakePlan(cache, options));
  const std::string key = CodeLock(plan.source);
  if (key.empty() || (!options.force && cache.Find(plan.key).ok())) {
    return absl::OkStatus();
  }
  Clock& clock = options.clock != nullptr ? *options.clock : RealClock();
  const absl::Duration began = clock.Monotonic();
  BuildProgress progress = {.stage = BuildStage::kWaiting};
  ABSL_ASSIGN_OR_RETURN(
      KeyLock lock,
      LockOrTell(cache, key, options.cancel_fd, [&](absl::string_view holder) {
        progress.detail = std::string(holder);
        options.on_progress(progress);
      }));
  progress.stage = BuildStage::kDownloading;
  progress.detail = plan.source.name;
  return GetCode(cache, options, plan.source,
                 [&](uint64_t done, uint64_t total) {
                   progress.elapsed = clock.Monotonic() - began;
                   progress.bytes = done;
                   progress.bytes_expected = total;
                   options.on_progress(progress);
                 });
}

// What each prefetch came to.
std::vector<absl::Status> PrefetchAll(const KernelCache& cache,
                                      const BuildOptions& options,
                                      const std::vector<std::string>& specs) {
  std::vector<absl::Status> outcomes(specs.size());
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < specs.size(); i = next++) {
      BuildOptions own = options;
      own.spec = specs[i];
      outcomes[i] = Prefetch(cache, own);
    }
  };
  std::vector<Thread> threads;
  for (size_t i = 0; i < std::min(kMaxDownloads, specs.size()); ++i) {
    threads.emplace_back("kernel-get", work);
  }
  threads.clear();  // joins
  return outcomes;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandSpecs(
    const KernelCache& cache, const BuildOptions& options,
    const std::vector<std::string>& specs) {
  if (specs.empty()) return std::vector<std::string>{""};
  std::vector<std::string> expanded;
  std::optional<ReleaseIndex> index;
  for (const std::string& text : specs) {
    if (absl::StripAsciiWhitespace(text).empty()) {
      expanded.push_back(text);
      continue;
    }
    ABSL_ASSIGN_OR_RETURN(KernelSpec spec, ParseKernelSpec(text));
    if (spec.form != KernelSpec::Form::kRange) {
      expanded.push_back(text);
      continue;
    }
    if (!index) {
      ABSL_ASSIGN_OR_RETURN(index, MakeKernelOrg(cache, options).Index());
    }
    ABSL_ASSIGN_OR_RETURN(std::vector<KernelVersion> versions,
                          index->Range(spec.range_low, spec.range_high));
    for (const KernelVersion& version : versions) {
      expanded.push_back(version.ToString());
    }
  }
  return expanded;
}

void BuildKernels(
    const KernelCache& cache, const BuildOptions& options,
    const std::vector<std::string>& specs,
    const std::function<void(const std::string& spec,
                             const absl::StatusOr<BuildResult>& result)>&
        on_result) {
  std::vector<absl::Status> outcomes(specs.size());
  if (specs.size() > 1) {
    Mutex mutex;
    BuildOptions shared = options;
    // Said when it is built.
    shared.on_note = nullptr;
    shared.on_progress = [&](const BuildProgress& progress) {
      MutexLock lock(&mutex);
      if (options.on_progress) options.on_progress(progress);
    };
    outcomes = PrefetchAll(cache, shared, specs);
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    BuildOptions own = options;
    own.spec = specs[i];
    const absl::StatusOr<BuildResult> result =
        outcomes[i].ok() ? BuildKernel(cache, own) : outcomes[i];
    on_result(specs[i], result);
    if (absl::IsCancelled(result.status())) return;
  }
}

}  // namespace ktstr::kernel
