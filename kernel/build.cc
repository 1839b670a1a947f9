// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/build.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/host_cpus.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "kconfig/fragments.h"
#include "kconfig/merge.h"
#include "kernel/builder.h"
#include "kernel/source.h"
#include "kernel/toolchain.h"

namespace ktstr::kernel {
namespace {

constexpr uint64_t kNeededBytes = uint64_t{4} << 30;  // tree and objects
constexpr int64_t kTypicalObjects = 1950;             // 6.12 with our fragments
constexpr size_t kMaxFragmentName = 32;
constexpr uint64_t kMaxFragmentBytes = 1 << 20;
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

// "debug" of "/home/me/debug.config".
absl::StatusOr<std::string> FragmentName(const std::string& path) {
  std::string name(absl::StripSuffix(Basename(path), ".config"));
  const bool is_plain =
      !name.empty() && name.size() <= kMaxFragmentName &&
      std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '_';
      });
  if (is_plain) return name;
  return absl::InvalidArgumentError(
      absl::StrCat("fragment ", path,
                   ": its name becomes part of the kernel's, accepted are "
                   "letters, digits and _ before .config, at most ",
                   kMaxFragmentName));
}

absl::Status AddFragment(const std::string& path, BuildPlan& plan) {
  ABSL_ASSIGN_OR_RETURN(plan.extra_fragment, FragmentName(path));
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxFragmentBytes));
  ABSL_ASSIGN_OR_RETURN(plan.fragments,
                        kconfig::OverlayFragment(std::move(plan.fragments),
                                                 {plan.extra_fragment, text}));
  plan.extra_fragment_hash = Sha256Hex(text).substr(0, 8);
  absl::StrAppend(&plan.key, "-", plan.extra_fragment, "-",
                  plan.extra_fragment_hash);
  return absl::OkStatus();
}

absl::StatusOr<BuildPlan> MakePlan(const BuildOptions& options) {
  BuildPlan plan;
  ABSL_ASSIGN_OR_RETURN(plan.source,
                        FindSource(options.spec, options.source_dir));
  ABSL_ASSIGN_OR_RETURN(plan.toolchain, FindToolchain());
  ABSL_ASSIGN_OR_RETURN(plan.fragments,
                        kconfig::MergeFragments(kconfig::EmbeddedFragments()));
  plan.fragments_hash = kconfig::FragmentsHash(kconfig::EmbeddedFragments());
  // One key for a dirty tree, whatever is in it.
  const std::string tools_hash =
      Sha256Hex(absl::StrCat(plan.toolchain.compiler, "\n",
                             plan.source.is_dirty ? "" : plan.source.identity));
  plan.key = absl::StrCat(plan.source.key_prefix, "-", kBuildArch, "-kc",
                          plan.fragments_hash, "-tc", tools_hash.substr(0, 8));
  if (!options.fragment.empty()) {
    ABSL_RETURN_IF_ERROR(AddFragment(options.fragment, plan));
  }
  plan.jobs = options.jobs > 0 ? options.jobs
                               : std::max(1, int(AllowedHostCpus().size()));
  return plan;
}

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
  absl::StatusOr<KeyLock> lock = cache.TryLock(key);
  if (!absl::IsUnavailable(lock.status())) return lock;
  reporter.Enter(BuildStage::kWaiting, lock.status().message());
  return cache.Lock(key, options.cancel_fd);
}

// The steps, told one by one.
absl::StatusOr<KernelMetadata> RunSteps(const BuildPlan& plan, Builder& builder,
                                        Clock& clock, Reporter& reporter,
                                        std::string& warning) {
  reporter.Enter(BuildStage::kUnpacking, plan.source.name);
  ABSL_RETURN_IF_ERROR(builder.Unpack());
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

absl::StatusOr<BuildResult> BuildAndStore(const KernelCache& cache,
                                          const BuildPlan& plan,
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
  ABSL_ASSIGN_OR_RETURN(
      KernelMetadata metadata,
      RunSteps(plan, builder, clock, reporter, result.warning));
  ABSL_ASSIGN_OR_RETURN(
      result.entry,
      cache.Store(plan.key, JoinPath(work.path(), kStaged), metadata));
  return result;
}

}  // namespace

absl::string_view BuildStageName(BuildStage stage) {
  switch (stage) {
    case BuildStage::kUnspecified:
      break;
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
  ABSL_ASSIGN_OR_RETURN(BuildPlan plan, MakePlan(options));
  cache.Sweep().IgnoreError();

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
