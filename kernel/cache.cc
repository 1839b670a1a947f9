// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "kconfig/fragments.h"
#include "kernel/cache_key.h"
#include "kernel/decompress.h"
#include "kernel/image.h"

namespace ktstr::kernel {
namespace {

constexpr absl::string_view kWorkPrefix = ".work-";
constexpr absl::Duration kDownloadLife = absl::Hours(7 * 24);
constexpr uint64_t kMaxMetadataBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxModuleBytes = uint64_t{64} << 20;

absl::Status PathError(absl::string_view verb, absl::string_view path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(verb, " ", path));
}

absl::Status CheckKey(absl::string_view key) {
  if (IsCacheKey(key)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", key,
                   "\" is no kernel cache key: letters, digits and "
                   "._+- up to 200 are accepted"));
}

bool IsDirectory(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::optional<uint64_t> SizeOf(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return status.st_size;
}

absl::Status SyncPath(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  if (fsync(fd.get()) != 0) return PathError("sync", path);
  return absl::OkStatus();
}

// Every file of a tree of at most a few levels, then its directories.
absl::Status SyncTree(const std::string& path) {
  if (IsDirectory(path)) {
    ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(path));
    for (const std::string& name : names) {
      ABSL_RETURN_IF_ERROR(SyncTree(JoinPath(path, name)));
    }
  }
  return SyncPath(path);
}

// Puts `staged` where `final_path` is; what was there ends up at `staged`.
absl::Status Publish(const std::string& staged, const std::string& final_path) {
  if (rename(staged.c_str(), final_path.c_str()) == 0) return absl::OkStatus();
  if (errno != ENOTEMPTY && errno != EEXIST) {
    return PathError("rename to", final_path);
  }
  if (renameat2(AT_FDCWD, staged.c_str(), AT_FDCWD, final_path.c_str(),
                RENAME_EXCHANGE) != 0) {
    return PathError("exchange with", final_path);
  }
  return absl::OkStatus();
}

std::vector<std::string> SchedulersIn(const std::string& dir) {
  std::vector<std::string> paths;
  absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
  if (!names.ok()) return paths;
  for (const std::string& name : *names) {
    std::string path = JoinPath(dir, name);
    if (access(path.c_str(), X_OK) == 0 && !IsDirectory(path)) {
      paths.push_back(std::move(path));
    }
  }
  return paths;
}

struct Problem {
  std::string kind;  // of ListedKernel::problem_kind; "" when there is none
  std::string text;
};

// What is wrong with the files of an entry. Fills the metadata.
Problem ProblemOf(KernelEntry& entry) {
  absl::StatusOr<std::string> text =
      ReadFile(JoinPath(entry.dir, "metadata.json"), kMaxMetadataBytes);
  if (absl::IsNotFound(text.status())) {
    return {"missing", "metadata.json is missing"};
  }
  if (!text.ok()) return {"unreadable", std::string(text.status().message())};
  absl::StatusOr<KernelMetadata> metadata = ParseKernelMetadata(*text);
  if (!metadata.ok()) {
    return {"malformed", std::string(metadata.status().message())};
  }
  entry.metadata = *std::move(metadata);
  std::optional<uint64_t> size = SizeOf(entry.vmlinux_path);
  if (!size.has_value()) return {"image_missing", "vmlinux is missing"};
  if (*size != entry.metadata.image_bytes) {
    return {"truncated",
            absl::StrCat("vmlinux is truncated: ", *size, " bytes of ",
                         entry.metadata.image_bytes)};
  }
  if (!SizeOf(entry.config_path).has_value()) {
    return {"config_missing", "config is missing"};
  }
  return {};
}

// Newest version of a series before others, then the newest build.
bool IsBetter(const ListedKernel& a, const ListedKernel& b) {
  if (a.state != b.state) return a.state < b.state;
  auto version_of = [](const ListedKernel& kernel) {
    return KernelVersion::Parse(kernel.entry.metadata.version)
        .value_or(KernelVersion());
  };
  if (version_of(a) != version_of(b)) return version_of(a) > version_of(b);
  return a.entry.metadata.built_at > b.entry.metadata.built_at;
}

}  // namespace

absl::string_view StateName(ListedKernel::State state) {
  switch (state) {
    case ListedKernel::State::kUnspecified:
      break;
    case ListedKernel::State::kValid:
      return "valid";
    case ListedKernel::State::kStale:
      return "stale";
    case ListedKernel::State::kCorrupt:
      return "corrupt";
  }
  return "unspecified";
}

WorkDir::~WorkDir() {
  if (!path_.empty()) RemoveTree(path_).IgnoreError();
}

absl::StatusOr<KernelCache> KernelCache::Open(const std::string& root) {
  std::string path = root;
  if (path.empty()) {
    ABSL_ASSIGN_OR_RETURN(std::string base, CacheDir());
    path = JoinPath(base, "kernels");
  }
  ABSL_RETURN_IF_ERROR(MakeDirs(JoinPath(path, ".locks")));
  ABSL_RETURN_IF_ERROR(MakeDirs(JoinPath(path, ".images")));
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return PathError("resolve", path);
  KernelCache cache(real);
  free(real);
  return cache;
}

ListedKernel KernelCache::Inspect(absl::string_view key) const {
  ListedKernel listed;
  KernelEntry& entry = listed.entry;
  entry.key = std::string(key);
  entry.dir = JoinPath(root_, key);
  entry.vmlinux_path = JoinPath(entry.dir, "vmlinux");
  entry.config_path = JoinPath(entry.dir, "config");
  entry.schedulers = SchedulersIn(JoinPath(entry.dir, "schedulers"));
  Problem problem = ProblemOf(entry);
  listed.problem = std::move(problem.text);
  listed.problem_kind = std::move(problem.kind);
  if (!listed.problem.empty()) {
    listed.state = ListedKernel::State::kCorrupt;
  } else if (entry.metadata.fragments_hash !=
             kconfig::FragmentsHash(kconfig::EmbeddedFragments())) {
    listed.state = ListedKernel::State::kStale;
  } else {
    listed.state = ListedKernel::State::kValid;
  }
  return listed;
}

absl::StatusOr<KernelEntry> KernelCache::Find(absl::string_view key) const {
  ABSL_RETURN_IF_ERROR(CheckKey(key));
  if (!IsDirectory(JoinPath(root_, key))) {
    return absl::NotFoundError(absl::StrCat(
        "no kernel ", key, " in ", root_,
        ": `ktstrctl kernel list` shows what there is, `ktstrctl kernel build "
        "6.12` builds one"));
  }
  ListedKernel listed = Inspect(key);
  if (listed.state == ListedKernel::State::kCorrupt) {
    return absl::DataLossError(
        absl::StrCat("cached kernel ", key, " is corrupt: ", listed.problem,
                     "; `ktstrctl kernel build --force` replaces it"));
  }
  return listed.entry;
}

absl::StatusOr<KernelEntry> KernelCache::FindVersion(
    const KernelVersion& version, absl::string_view package) const {
  ABSL_ASSIGN_OR_RETURN(std::vector<ListedKernel> all, List());
  auto is_of_package = [package](const KernelMetadata& metadata) {
    return package.empty() || absl::StartsWith(metadata.source_package,
                                               absl::StrCat(package, " "));
  };
  const ListedKernel* best = nullptr;
  for (const ListedKernel& listed : all) {
    auto cached = KernelVersion::Parse(listed.entry.metadata.version);
    // A version is what was released, with our options; a tree has its number
    // and anything else.
    if (listed.state == ListedKernel::State::kCorrupt || !cached.ok() ||
        listed.entry.metadata.source == "local" ||
        !listed.entry.metadata.extra_fragment.empty() ||
        !version.Covers(*cached) || !is_of_package(listed.entry.metadata)) {
      continue;
    }
    if (best == nullptr || IsBetter(listed, *best)) best = &listed;
  }
  if (best != nullptr) return best->entry;
  const std::string wanted =
      package.empty() ? version.ToString() : absl::StrCat("deb:", package);
  return absl::NotFoundError(absl::StrCat("no kernel ", wanted, " in ", root_,
                                          ": `ktstrctl kernel build ", wanted,
                                          "` builds it"));
}

absl::StatusOr<std::vector<ListedKernel>> KernelCache::List() const {
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(root_));
  std::vector<ListedKernel> all;
  for (const std::string& name : names) {
    if (!IsCacheKey(name) || !IsDirectory(JoinPath(root_, name))) continue;
    all.push_back(Inspect(name));
  }
  auto is_corrupt = [](const ListedKernel& kernel) {
    return kernel.state == ListedKernel::State::kCorrupt;
  };
  std::stable_sort(all.begin(), all.end(),
                   [&is_corrupt](const ListedKernel& a, const ListedKernel& b) {
                     if (is_corrupt(a) != is_corrupt(b)) return is_corrupt(b);
                     return a.entry.metadata.built_at >
                            b.entry.metadata.built_at;
                   });
  return all;
}

absl::StatusOr<KeyLock> KernelCache::TryLock(absl::string_view key) const {
  ABSL_RETURN_IF_ERROR(CheckKey(key));
  return KeyLock::Try(absl::StrCat(root_, "/.locks/", key, ".lock"));
}

absl::StatusOr<KeyLock> KernelCache::Lock(absl::string_view key,
                                          int cancel_fd) const {
  ABSL_RETURN_IF_ERROR(CheckKey(key));
  return KeyLock::Wait(absl::StrCat(root_, "/.locks/", key, ".lock"),
                       cancel_fd);
}

absl::StatusOr<WorkDir> KernelCache::MakeWorkDir(absl::string_view key) const {
  ABSL_RETURN_IF_ERROR(CheckKey(key));
  // A sweep may take the directory in the moment before it is locked.
  for (int attempt = 0; attempt < 16; ++attempt) {
    std::string path = absl::StrCat(root_, "/", kWorkPrefix, key, "-XXXXXX");
    if (mkdtemp(path.data()) == nullptr) return PathError("make", path);
    UniqueFd lock(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock && flock(lock.get(), LOCK_EX | LOCK_NB) == 0 &&
        IsDirectory(path)) {
      return WorkDir(path, std::move(lock));
    }
  }
  return absl::UnavailableError(
      absl::StrCat("work directories in ", root_, " keep being swept"));
}

std::string KernelCache::KeptTree(absl::string_view name) const {
  return absl::StrCat(root_, "/.trees/", name);
}

std::vector<std::string> KernelCache::KeptTrees() const {
  // Made by the first build of a tree.
  return ListDir(JoinPath(root_, ".trees"))
      .value_or(std::vector<std::string>());
}

absl::Status KernelCache::RemoveKeptTree(absl::string_view name) const {
  ABSL_ASSIGN_OR_RETURN(KeyLock lock, TryLock(absl::StrCat("tree-", name)));
  return RemoveTree(KeptTree(name));
}

absl::StatusOr<KernelEntry> KernelCache::Store(absl::string_view key,
                                               const std::string& staged,
                                               KernelMetadata metadata) const {
  ABSL_RETURN_IF_ERROR(CheckKey(key));
  std::string vmlinux = JoinPath(staged, "vmlinux");
  std::optional<uint64_t> size = SizeOf(vmlinux);
  if (!size.has_value()) {
    return absl::InternalError(absl::StrCat("nothing staged at ", vmlinux));
  }
  metadata.image_bytes = *size;
  ABSL_ASSIGN_OR_RETURN(metadata.image_sha256, Sha256HexOfFile(vmlinux));
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(JoinPath(staged, "metadata.json"),
                                           FormatKernelMetadata(metadata)));
  ABSL_RETURN_IF_ERROR(SyncTree(staged));
  if (chmod(staged.c_str(), 0755) != 0) return PathError("chmod", staged);
  ABSL_RETURN_IF_ERROR(Publish(staged, JoinPath(root_, key)));
  ABSL_RETURN_IF_ERROR(SyncPath(root_));
  return Find(key);
}

absl::Status KernelCache::Remove(absl::string_view key) const {
  ABSL_ASSIGN_OR_RETURN(KeyLock lock, TryLock(key));
  std::string path = JoinPath(root_, key);
  if (!IsDirectory(path)) return absl::OkStatus();
  // Renamed first: a reader sees the whole entry or none.
  ABSL_ASSIGN_OR_RETURN(WorkDir work, MakeWorkDir(key));
  std::string doomed = JoinPath(work.path(), "removed");
  if (rename(path.c_str(), doomed.c_str()) != 0) {
    return PathError("rename", path);
  }
  return absl::OkStatus();
}

std::string KernelCache::DownloadPath(absl::string_view name) const {
  return absl::StrCat(root_, "/.downloads/", name);
}

void KernelCache::SweepDownloads() const {
  absl::StatusOr<std::vector<std::string>> names = ListDir(DownloadPath(""));
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    const std::string path = DownloadPath(name);
    struct stat status;
    if (lstat(path.c_str(), &status) != 0 ||
        absl::Now() - absl::TimeFromTimespec(status.st_mtim) < kDownloadLife) {
      continue;
    }
    // "linux-6.12.5.tar.xz.part.of" belongs to "linux-6.12.5.tar.xz".
    const std::string owner = name.substr(0, name.find(".part"));
    absl::StatusOr<KeyLock> lock = TryLock(absl::StrCat("download-", owner));
    if (lock.ok()) RemoveTree(path).IgnoreError();
  }
}

absl::StatusOr<int> KernelCache::Sweep() const {
  SweepDownloads();
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(root_));
  int swept = 0;
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, kWorkPrefix)) continue;
    std::string path = JoinPath(root_, name);
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    // A compiler of a killed build may still write its last file; what it
    // keeps from being removed goes with the next sweep.
    if (RemoveTree(path).ok()) ++swept;
  }
  return swept;
}

absl::StatusOr<std::string> KernelCache::UnpackedImage(
    absl::string_view image) const {
  std::string path =
      absl::StrCat(root_, "/.images/", Sha256Hex(image), ".vmlinux");
  if (FileExists(path)) return path;
  ABSL_ASSIGN_OR_RETURN(std::string elf, ExtractVmlinux(image));
  ABSL_ASSIGN_OR_RETURN(std::string stripped, StripDebug(elf));
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(path, stripped));
  return path;
}

absl::StatusOr<std::string> KernelCache::UnpackedModule(
    absl::string_view module) const {
  std::string path = absl::StrCat(root_, "/.images/", Sha256Hex(module), ".ko");
  if (FileExists(path)) return path;
  ABSL_ASSIGN_OR_RETURN(std::string elf, Decompress(module, kMaxModuleBytes));
  if (!absl::StartsWith(elf,
                        "\x7f"
                        "ELF")) {
    return absl::InvalidArgumentError("no ELF file inside");
  }
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(path, elf));
  return path;
}

}  // namespace ktstr::kernel
