// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/build.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "kernel/builder.h"
#include "kernel/plan.h"
#include "kernel/source.h"

namespace ktstr::kernel {
namespace {

constexpr uint64_t kNeededBytes = uint64_t{4} << 30;  // tree and objects
constexpr int64_t kTypicalObjects = 1950;             // 6.12 with our fragments
constexpr absl::Duration kProgressPeriod = absl::Milliseconds(100);
constexpr absl::string_view kTree = "tree";
constexpr absl::string_view kStaged = "entry";

// Tells the caller where the build is.
class Reporter {
 public:
  Reporter(const BuildOptions& options, Clock& clock)
      : options_(options), clock_(clock), began_(clock.Monotonic()) {}

  void Enter(BuildStage stage, absl::string_view detail = "") {
    progress_.stage = stage;
    progress_.detail = std::string(detail);
    Send();
  }

  // One line of output: "  CC      kernel/fork.o" counts as an object.
  void OnLine(absl::string_view line) {
    if (!absl::StartsWith(line, "  ")) return;
    if (progress_.stage == BuildStage::kCompiling) ++progress_.objects;
    std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() >= 2) {
      progress_.detail = absl::StrCat(words[0], " ", words.back());
    }
    if (clock_.Monotonic() - sent_ >= kProgressPeriod) Send();
  }

  void OnBytes(uint64_t done, uint64_t total) {
    progress_.bytes = done;
    progress_.bytes_expected = total;
    Send();
  }

  void set_objects_expected(int64_t n) { progress_.objects_expected = n; }
  int64_t objects() const { return progress_.objects; }
  absl::Duration elapsed() const { return clock_.Monotonic() - began_; }

 private:
  void Send() {
    sent_ = clock_.Monotonic();
    progress_.elapsed = sent_ - began_;
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const BuildOptions& options_;
  Clock& clock_;
  const absl::Duration began_;
  absl::Duration sent_;
  BuildProgress progress_;
};

absl::Status CheckSpace(const KernelCache& cache) {
  struct statvfs status;
  if (statvfs(cache.root().c_str(), &status) != 0) return absl::OkStatus();
  uint64_t free_bytes = uint64_t{status.f_bavail} * status.f_frsize;
  if (free_bytes >= kNeededBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "building a kernel needs ", kNeededBytes >> 20, " MiB in ", cache.root(),
      ", ", free_bytes >> 20,
      " MiB are free: make room or point KTSTR_CACHE_DIR elsewhere"));
}

int64_t ObjectsExpected(const KernelCache& cache) {
  absl::StatusOr<std::vector<ListedKernel>> all = cache.List();
  if (!all.ok()) return kTypicalObjects;
  for (const ListedKernel& listed : *all) {
    const KernelMetadata& metadata = listed.entry.metadata;
    // Trees are mostly built again, of few objects.
    if (metadata.source != "local" && metadata.objects > 0) {
      return metadata.objects;
    }
  }
  return kTypicalObjects;
}

absl::StatusOr<KeyLock> LockKey(const KernelCache& cache,
                                const std::string& key,
                                const BuildOptions& options,
                                Reporter& reporter) {
  return LockOrTell(cache, key, options.cancel_fd,
                    [&reporter](absl::string_view holder) {
                      reporter.Enter(BuildStage::kWaiting, holder);
                    });
}

// The steps, told one by one.
absl::StatusOr<KernelMetadata> RunSteps(const BuildPlan& plan, Builder& builder,
                                        Clock& clock, Reporter& reporter,
                                        std::string& warning) {
  reporter.Enter(BuildStage::kConfiguring, "tinyconfig");
  ABSL_RETURN_IF_ERROR(builder.Configure());
  reporter.Enter(BuildStage::kCompiling);
  ABSL_RETURN_IF_ERROR(builder.Compile());
  if (!plan.toolchain.has_bpf_compiler) {
    warning =
        "no clang 16 or newer with llc and llvm-strip (package clang-19): the "
        "kernel's own schedulers were not built";
  } else {
    reporter.Enter(BuildStage::kSchedulers);
    absl::Status built = builder.BuildSchedulers();
    if (absl::IsCancelled(built)) return built;
    if (!built.ok()) warning = std::string(built.message());
  }
  reporter.Enter(BuildStage::kStoring);
  ABSL_ASSIGN_OR_RETURN(KernelMetadata metadata, builder.Stage());
  metadata.built_at = clock.Now();
  metadata.build_time = reporter.elapsed();
  metadata.objects = reporter.objects();
  return metadata;
}

// Gets the code and unpacks it.
absl::Status FillTree(const KernelCache& cache, const BuildOptions& options,
                      BuildPlan& plan, Builder& builder, Reporter& reporter) {
  std::optional<KeyLock> lock;
  if (const std::string key = CodeLock(plan.source); !key.empty()) {
    ABSL_ASSIGN_OR_RETURN(KeyLock held, LockKey(cache, key, options, reporter));
    lock.emplace(std::move(held));
    if (plan.source.tarball && !plan.source.tarball->is_signed &&
        options.on_note) {
      options.on_note(absl::StrCat(
          "nobody's signature vouches for ", plan.source.name, " (",
          plan.source.trust, "): docs/kernels.md says how to have it checked"));
    }
    reporter.Enter(BuildStage::kDownloading, plan.source.name);
    ABSL_RETURN_IF_ERROR(GetCode(cache, options, plan.source,
                                 [&reporter](uint64_t done, uint64_t total) {
                                   reporter.OnBytes(done, total);
                                 }));
  }
  reporter.Enter(BuildStage::kUnpacking, plan.source.name);
  ABSL_RETURN_IF_ERROR(builder.Unpack());
  ABSL_ASSIGN_OR_RETURN(KernelSource now, InspectAgain(plan.source));
  if (now.identity != plan.source.identity) {
    if (options.on_note) {
      options.on_note(absl::StrCat(
          plan.source.name,
          " changed while it was copied: the kernel counts as one of a dirty "
          "tree"));
    }
    // No other build stores under the key of the dirty tree meanwhile: each
    // holds the lock of the copy.
    plan = WithSource(std::move(plan), std::move(now));
  }
  return absl::OkStatus();
}

absl::StatusOr<BuildResult> BuildAndStore(const KernelCache& cache,
                                          BuildPlan plan,
                                          const BuildOptions& options,
                                          Clock& clock, Reporter& reporter) {
  BuildResult result;
  ABSL_RETURN_IF_ERROR(CheckSpace(cache));
  ABSL_ASSIGN_OR_RETURN(WorkDir work, cache.MakeWorkDir(plan.key));
  std::string tree = JoinPath(work.path(), kTree);
  std::optional<KeyLock> tree_lock;
  if (!plan.source.kept_as.empty()) {
    // One copy for every commit of a tree, so one build at a time in it.
    ABSL_ASSIGN_OR_RETURN(
        KeyLock lock,
        LockKey(cache, "tree-" + plan.source.kept_as, options, reporter));
    tree_lock.emplace(std::move(lock));
    tree = cache.KeptTree(plan.source.kept_as);
  }
  Builder builder(
      plan, tree, JoinPath(work.path(), kStaged), options.cancel_fd,
      [&reporter](absl::string_view line) { reporter.OnLine(line); });
  ABSL_RETURN_IF_ERROR(FillTree(cache, options, plan, builder, reporter));
  ABSL_ASSIGN_OR_RETURN(
      KernelMetadata metadata,
      RunSteps(plan, builder, clock, reporter, result.warning));
  ABSL_ASSIGN_OR_RETURN(
      result.entry,
      cache.Store(plan.key, JoinPath(work.path(), kStaged), metadata));
  DropCode(cache, plan.source);
  return result;
}

}  // namespace

absl::string_view BuildStageName(BuildStage stage) {
  switch (stage) {
    case BuildStage::kUnspecified:
      break;
    case BuildStage::kResolving:
      return "resolving";
    case BuildStage::kDownloading:
      return "downloading";
    case BuildStage::kWaiting:
      return "waiting";
    case BuildStage::kUnpacking:
      return "unpacking";
    case BuildStage::kConfiguring:
      return "configuring";
    case BuildStage::kCompiling:
      return "compiling";
    case BuildStage::kSchedulers:
      return "schedulers";
    case BuildStage::kStoring:
      return "storing";
    case BuildStage::kDone:
      return "done";
  }
  return "unspecified";
}

absl::StatusOr<BuildResult> BuildKernel(const KernelCache& cache,
                                        const BuildOptions& options) {
  Clock& clock = options.clock != nullptr ? *options.clock : RealClock();
  Reporter reporter(options, clock);
  reporter.Enter(BuildStage::kResolving, options.spec);
  cache.Sweep().IgnoreError();
  ABSL_ASSIGN_OR_RETURN(BuildPlan plan, MakePlan(cache, options));

  BuildResult result;
  const bool is_forced = options.force || plan.source.is_dirty;
  absl::StatusOr<KernelEntry> cached = cache.Find(plan.key);
  if (!cached.ok() || is_forced) {
    ABSL_ASSIGN_OR_RETURN(KeyLock lock,
                          LockKey(cache, plan.key, options, reporter));
    // Whoever held the lock may have built it.
    cached = cache.Find(plan.key);
    if (!cached.ok() || is_forced) {
      reporter.set_objects_expected(ObjectsExpected(cache));
      ABSL_ASSIGN_OR_RETURN(
          result, BuildAndStore(cache, plan, options, clock, reporter));
      result.took = reporter.elapsed();
      reporter.Enter(BuildStage::kDone);
      return result;
    }
  }
  result.entry = *std::move(cached);
  result.was_cached = true;
  result.took = reporter.elapsed();
  reporter.Enter(BuildStage::kDone);
  return result;
}

}  // namespace ktstr::kernel
