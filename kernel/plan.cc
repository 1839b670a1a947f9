// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/host_cpus.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "kconfig/fragments.h"
#include "kconfig/merge.h"
#include "kernel/git_source.h"
#include "kernel/source.h"
#include "kernel/toolchain.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kMaxFragmentName = 32;
constexpr uint64_t kMaxFragmentBytes = 1 << 20;

std::string KeyOf(const BuildPlan& plan) {
  // One key for a dirty tree, whatever is in it.
  const std::string tools_hash =
      Sha256Hex(absl::StrCat(plan.toolchain.compiler, "\n",
                             plan.source.is_dirty ? "" : plan.source.identity));
  std::string key =
      absl::StrCat(plan.source.key_prefix, "-", kBuildArch, "-kc",
                   plan.fragments_hash, "-tc", tools_hash.substr(0, 8));
  if (!plan.extra_fragment.empty()) {
    absl::StrAppend(&key, "-", plan.extra_fragment, "-",
                    plan.extra_fragment_hash);
  }
  return key;
}

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
  return absl::OkStatus();
}

// Under which name the code lies among the cache's downloads.
std::string DownloadName(const KernelSource& source) {
  if (source.tarball) return source.tarball->file_name;
  if (source.commit) return absl::StrCat("git-", source.commit->hash);
  return "";
}

}  // namespace

KernelOrg MakeKernelOrg(const KernelCache& cache, const BuildOptions& options) {
  return KernelOrg(&cache, {.base_url = options.kernel_org,
                            .fetch_program = options.fetch_program,
                            .cancel_fd = options.cancel_fd});
}

absl::StatusOr<BuildPlan> MakePlan(const KernelCache& cache,
                                   const BuildOptions& options) {
  const KernelOrg kernel_org = MakeKernelOrg(cache, options);
  const SourceSearch search = {.source_dir = options.source_dir,
                               .kernel_org = &kernel_org,
                               .cancel_fd = options.cancel_fd,
                               .on_note = options.on_note};
  BuildPlan plan;
  ABSL_ASSIGN_OR_RETURN(plan.toolchain, FindToolchain());
  ABSL_ASSIGN_OR_RETURN(plan.fragments,
                        kconfig::MergeFragments(kconfig::EmbeddedFragments()));
  plan.fragments_hash = kconfig::FragmentsHash(kconfig::EmbeddedFragments());
  if (!options.fragment.empty()) {
    ABSL_RETURN_IF_ERROR(AddFragment(options.fragment, plan));
  }
  ABSL_ASSIGN_OR_RETURN(plan.source, FindSource(options.spec, search));
  plan.jobs = options.jobs > 0 ? options.jobs
                               : std::max(1, int(AllowedHostCpus().size()));
  plan.key = KeyOf(plan);
  if (!options.force && cache.Find(plan.key).ok()) return plan;
  ABSL_ASSIGN_OR_RETURN(KernelSource located,
                        LocateSource(plan.source, search));
  return WithSource(std::move(plan), std::move(located));
}

BuildPlan WithSource(BuildPlan plan, KernelSource source) {
  plan.source = std::move(source);
  plan.key = KeyOf(plan);
  return plan;
}

absl::StatusOr<KeyLock> LockOrTell(
    const KernelCache& cache, const std::string& key, int cancel_fd,
    const std::function<void(absl::string_view holder)>& on_wait) {
  absl::StatusOr<KeyLock> lock = cache.TryLock(key);
  if (!absl::IsUnavailable(lock.status())) return lock;
  on_wait(lock.status().message());
  return cache.Lock(key, cancel_fd);
}

absl::Status GetCode(
    const KernelCache& cache, const BuildOptions& options, KernelSource& source,
    const std::function<void(uint64_t done, uint64_t total)>& on_progress) {
  if (source.tarball) {
    ABSL_ASSIGN_OR_RETURN(
        source.archive,
        MakeKernelOrg(cache, options).Get(*source.tarball, on_progress));
  }
  if (source.commit) {
    source.repository = cache.DownloadPath(DownloadName(source));
    ABSL_RETURN_IF_ERROR(
        FetchGitCommit(*source.commit, source.repository, options.cancel_fd));
  }
  return absl::OkStatus();
}

std::string CodeLock(const KernelSource& source) {
  const std::string name = DownloadName(source);
  return name.empty() ? "" : DownloadLock(name);
}

void DropCode(const KernelCache& cache, const KernelSource& source) {
  const std::string name = DownloadName(source);
  if (name.empty()) return;
  absl::StatusOr<KeyLock> lock = cache.TryLock(DownloadLock(name));
  if (lock.ok()) RemoveTree(cache.DownloadPath(name)).IgnoreError();
}

}  // namespace ktstr::kernel
