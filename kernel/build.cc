// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/build.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/host_cpus.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "kconfig/embedded.h"
#include "kconfig/fragments.h"
#include "kconfig/merge.h"
#include "kconfig/parse.h"
#include "kconfig/verify.h"
#include "kernel/image.h"
#include "kernel/make_runner.h"
#include "kernel/source_package.h"
#include "kernel/toolchain.h"

namespace ktstr::kernel {
namespace {

constexpr absl::string_view kArch = "x86_64";
constexpr uint64_t kNeededBytes = uint64_t{4} << 30;  // tree and objects
constexpr int64_t kTypicalObjects = 1950;             // 6.12 with our fragments
constexpr absl::Duration kProgressPeriod = absl::Milliseconds(100);
constexpr absl::string_view kSchedulers[] = {"scx_simple", "scx_qmap"};
constexpr absl::string_view kTree = "tree";
constexpr absl::string_view kStaged = "entry";

// Same on every machine, so that two builds of one key differ in nothing.
// A caller's own build variables must not reach the kernel's.
constexpr const char* kEnvironment[] = {
    "KBUILD_BUILD_USER=ktstr",
    "KBUILD_BUILD_HOST=ktstr",
    "LC_ALL=C",
    "ARCH=x86_64",
    "CROSS_COMPILE=",
    "KBUILD_OUTPUT=",
    "MAKEFLAGS=",
    "MFLAGS=",
    "MAKELEVEL=",
};

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

// Everything decided before the first byte is unpacked.
struct Plan {
  SourcePackage source;
  Toolchain toolchain;
  kconfig::MergedFragments fragments;
  std::string fragments_hash;
  std::string key;
  int jobs = 1;
};

absl::StatusOr<Plan> MakePlan(const BuildOptions& options) {
  Plan plan;
  ABSL_ASSIGN_OR_RETURN(KernelVersion wanted,
                        KernelVersion::Parse(options.version));
  ABSL_ASSIGN_OR_RETURN(plan.source,
                        FindSourcePackage(options.source_dir, wanted));
  ABSL_ASSIGN_OR_RETURN(plan.toolchain, FindToolchain());
  ABSL_ASSIGN_OR_RETURN(plan.fragments,
                        kconfig::MergeFragments(kconfig::EmbeddedFragments()));
  plan.fragments_hash = kconfig::FragmentsHash(kconfig::EmbeddedFragments());
  std::string tools_hash = Sha256Hex(
      absl::StrCat(plan.toolchain.compiler, "\n", plan.source.identity));
  plan.key = absl::StrCat(plan.source.version, "-tarball-", kArch, "-kc",
                          plan.fragments_hash, "-tc", tools_hash.substr(0, 8));
  plan.jobs = options.jobs > 0 ? options.jobs
                               : std::max(1, int(AllowedHostCpus().size()));
  return plan;
}

// Runs the steps in one work directory.
class Builder {
 public:
  Builder(const Plan& plan, const BuildOptions& options, Reporter& reporter,
          const std::string& work_dir)
      : plan_(plan),
        options_(options),
        reporter_(reporter),
        tree_(JoinPath(work_dir, kTree)),
        staged_(JoinPath(work_dir, kStaged)) {}

  absl::Status Unpack() {
    reporter_.Enter(BuildStage::kUnpacking, plan_.source.tarball_path);
    ABSL_RETURN_IF_ERROR(MakeDirs(tree_));
    ABSL_RETURN_IF_ERROR(MakeDirs(staged_));
    CommandSpec tar;
    tar.argv = {"tar", "--extract", "--file", plan_.source.tarball_path,
                "--directory", tree_, "--strip-components=1",
                // Large, and read by nothing that is built here. The Kconfig
                // files of every directory must stay.
                "--exclude=*/drivers/gpu/drm/amd/include/*",
                "--exclude=*/tools/testing/*"};
    return Run("unpacking " + plan_.source.tarball_path, std::move(tar));
  }

  absl::Status Configure() {
    reporter_.Enter(BuildStage::kConfiguring, "tinyconfig");
    ABSL_RETURN_IF_ERROR(Make("configuring", {"tinyconfig"}));
    ABSL_ASSIGN_OR_RETURN(std::string base, ReadFile(ConfigPath()));
    // Appended, because of several members of a choice the last one wins.
    ABSL_RETURN_IF_ERROR(WriteFileAtomically(
        ConfigPath(), absl::StrCat(base, "\n", plan_.fragments.text)));
    ABSL_RETURN_IF_ERROR(Make("configuring", {"olddefconfig"}));
    ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(ConfigPath()));
    ABSL_ASSIGN_OR_RETURN(kconfig::Kconfig config,
                          kconfig::Kconfig::Parse(text));
    return CheckSurvival(config, "the kernel's configuration");
  }

  absl::Status Compile() {
    reporter_.Enter(BuildStage::kCompiling);
    ABSL_RETURN_IF_ERROR(Make("compiling the kernel", {"bzImage"}));
    ABSL_ASSIGN_OR_RETURN(kconfig::Kconfig config,
                          kconfig::ConfigOfVmlinux(VmlinuxPath()));
    return CheckSurvival(config, "the compiled kernel");
  }

  // Two passes: the first makes the library and the objects, the second links
  // the programs again, static, so that they run in a guest without libraries.
  absl::Status BuildSchedulers() {
    reporter_.Enter(BuildStage::kSchedulers);
    std::string dir = JoinPath(tree_, "tools/sched_ext");
    const std::string& suffix = plan_.toolchain.llvm_suffix;
    std::vector<std::string> args = {"-C",
                                     dir,
                                     "CLANG=clang" + suffix,
                                     "LLC=llc" + suffix,
                                     "LLVM_STRIP=llvm-strip" + suffix,
                                     "VMLINUX_BTF=" + VmlinuxPath()};
    for (absl::string_view name : kSchedulers) args.emplace_back(name);
    ABSL_RETURN_IF_ERROR(Make("building sched_ext schedulers", args));
    std::string programs = JoinPath(dir, "build/bin");
    ABSL_RETURN_IF_ERROR(RemoveTree(programs));
    ABSL_RETURN_IF_ERROR(MakeDirs(programs));
    args.push_back("LDFLAGS=-static -lelf -lz -lpthread");
    ABSL_RETURN_IF_ERROR(Make("linking sched_ext schedulers", args));
    for (absl::string_view name : kSchedulers) {
      ABSL_RETURN_IF_ERROR(StageProgram(JoinPath(programs, name), name));
    }
    return absl::OkStatus();
  }

  // Fills the staged entry but for its metadata.
  absl::StatusOr<KernelMetadata> Stage(Clock& clock) {
    reporter_.Enter(BuildStage::kStoring);
    ABSL_ASSIGN_OR_RETURN(std::string elf, ReadFile(VmlinuxPath()));
    ABSL_ASSIGN_OR_RETURN(std::string stripped, StripDebug(elf));
    ABSL_RETURN_IF_ERROR(
        WriteFileAtomically(JoinPath(staged_, "vmlinux"), stripped));
    ABSL_ASSIGN_OR_RETURN(std::string packed, ReadFile(BzImagePath()));
    ABSL_RETURN_IF_ERROR(
        WriteFileAtomically(JoinPath(staged_, "bzImage"), packed));
    ABSL_ASSIGN_OR_RETURN(std::string config, ReadFile(ConfigPath()));
    ABSL_RETURN_IF_ERROR(
        WriteFileAtomically(JoinPath(staged_, "config"), config));
    KernelMetadata metadata;
    ABSL_ASSIGN_OR_RETURN(metadata.version, KernelRelease(stripped));
    metadata.source = "tarball";
    metadata.source_package =
        absl::StrCat(plan_.source.name, " ", plan_.source.identity);
    metadata.arch = std::string(kArch);
    metadata.toolchain = plan_.toolchain.compiler;
    metadata.config_hash = Sha256Hex(config).substr(0, 8);
    metadata.fragments_hash = plan_.fragments_hash;
    metadata.built_at = clock.Now();
    metadata.build_time = reporter_.elapsed();
    metadata.objects = reporter_.objects();
    return metadata;
  }

  const std::string& staged() const { return staged_; }

 private:
  std::string ConfigPath() const { return JoinPath(tree_, ".config"); }
  std::string VmlinuxPath() const { return JoinPath(tree_, "vmlinux"); }
  std::string BzImagePath() const {
    return JoinPath(tree_, "arch/x86/boot/bzImage");
  }

  absl::Status Run(const std::string& what, CommandSpec command) {
    command.extra_env.insert(command.extra_env.end(), std::begin(kEnvironment),
                             std::end(kEnvironment));
    return RunMake({.command = std::move(command),
                    .what = what,
                    .cancel_fd = options_.cancel_fd,
                    .on_line = [this](absl::string_view line) {
                      reporter_.OnLine(line);
                    }});
  }

  absl::Status Make(const std::string& what,
                    const std::vector<std::string>& args) {
    CommandSpec make;
    make.argv = {"make", absl::StrCat("-j", plan_.jobs)};
    make.argv.insert(make.argv.end(), args.begin(), args.end());
    make.working_dir = tree_;
    return Run(what, std::move(make));
  }

  absl::Status CheckSurvival(const kconfig::Kconfig& config,
                             absl::string_view subject) {
    return kconfig::ToStatus(
        absl::StrCat(subject, " (", plan_.source.name, ")"),
        kconfig::Verify(plan_.fragments.requested, config));
  }

  absl::Status StageProgram(const std::string& from, absl::string_view name) {
    ABSL_ASSIGN_OR_RETURN(std::string bytes, ReadFile(from));
    std::string dir = JoinPath(staged_, "schedulers");
    ABSL_RETURN_IF_ERROR(MakeDirs(dir));
    return WriteFileAtomically(JoinPath(dir, name), bytes, 0755);
  }

  const Plan& plan_;
  const BuildOptions& options_;
  Reporter& reporter_;
  const std::string tree_;
  const std::string staged_;
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
    if (listed.entry.metadata.objects > 0) {
      return listed.entry.metadata.objects;
    }
  }
  return kTypicalObjects;
}

absl::StatusOr<KeyLock> LockKey(const KernelCache& cache, const Plan& plan,
                                const BuildOptions& options,
                                Reporter& reporter) {
  absl::StatusOr<KeyLock> lock = cache.TryLock(plan.key);
  if (!absl::IsUnavailable(lock.status())) return lock;
  reporter.Enter(BuildStage::kWaiting, lock.status().message());
  return cache.Lock(plan.key, options.cancel_fd);
}

absl::StatusOr<BuildResult> BuildAndStore(const KernelCache& cache,
                                          const Plan& plan,
                                          const BuildOptions& options,
                                          Clock& clock, Reporter& reporter) {
  BuildResult result;
  ABSL_RETURN_IF_ERROR(CheckSpace(cache));
  ABSL_ASSIGN_OR_RETURN(WorkDir work, cache.MakeWorkDir(plan.key));
  Builder builder(plan, options, reporter, work.path());
  ABSL_RETURN_IF_ERROR(builder.Unpack());
  ABSL_RETURN_IF_ERROR(builder.Configure());
  ABSL_RETURN_IF_ERROR(builder.Compile());
  if (!plan.toolchain.has_bpf_compiler) {
    result.warning =
        "no clang 16 or newer with llc and llvm-strip (package clang-19): the "
        "kernel's own schedulers were not built";
  } else if (absl::Status built = builder.BuildSchedulers(); !built.ok()) {
    if (absl::IsCancelled(built)) return built;
    result.warning = std::string(built.message());
  }
  ABSL_ASSIGN_OR_RETURN(KernelMetadata metadata, builder.Stage(clock));
  ABSL_ASSIGN_OR_RETURN(result.entry,
                        cache.Store(plan.key, builder.staged(), metadata));
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
  ABSL_ASSIGN_OR_RETURN(Plan plan, MakePlan(options));
  cache.Sweep().IgnoreError();

  BuildResult result;
  absl::StatusOr<KernelEntry> cached = cache.Find(plan.key);
  if (!cached.ok() || options.force) {
    ABSL_ASSIGN_OR_RETURN(KeyLock lock,
                          LockKey(cache, plan, options, reporter));
    // Whoever held the lock may have built it.
    cached = cache.Find(plan.key);
    if (!cached.ok() || options.force) {
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
