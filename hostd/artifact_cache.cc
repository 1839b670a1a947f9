// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/artifact_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"

namespace ktstr::hostd {
namespace {

constexpr absl::string_view kPartial = ".partial-";

std::string FdPath(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

absl::Status WriteError(const absl::Status& status, absl::string_view dir) {
  return Annotate(status, absl::StrCat("write to the artifact cache ", dir));
}

// Copies a source into a file and refuses more bytes than announced.
absl::Status FetchInto(ArtifactSource* source, const std::string& sha256,
                       int64_t size_bytes, int fd, absl::string_view dir) {
  int64_t received = 0;
  ABSL_RETURN_IF_ERROR(
      source->Fetch(sha256, [&](absl::string_view piece) -> absl::Status {
        received += static_cast<int64_t>(piece.size());
        if (size_bytes > 0 && received > size_bytes) {
          return absl::DataLossError(
              absl::StrCat("artifact ", sha256, " is longer than the ",
                           size_bytes, " bytes announced"));
        }
        return WriteError(WriteAll(fd, piece), dir);
      }));
  if (size_bytes > 0 && received != size_bytes) {
    return absl::DataLossError(absl::StrCat("artifact ", sha256, " has ",
                                            received, " bytes; announced were ",
                                            size_bytes));
  }
  return absl::OkStatus();
}

struct CachedFile {
  timespec used;
  int64_t size_bytes;
  std::string path;
};

}  // namespace

std::string HeldArtifact::path() const { return FdPath(fd_.get()); }

absl::StatusOr<std::unique_ptr<ArtifactCache>> ArtifactCache::Open(
    Options options, ArtifactSource* source) {
  ABSL_RETURN_IF_ERROR(MakeDirs(options.dir));
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(options.dir));
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, kPartial)) continue;
    std::string path = JoinPath(options.dir, name);
    auto fd = OpenFile(path, O_RDONLY);
    if (fd.ok() && flock(fd->get(), LOCK_EX | LOCK_NB) == 0) {
      unlink(path.c_str());
    }
  }
  // The constructor is private, which make_unique cannot call.
  return std::unique_ptr<ArtifactCache>(
      new ArtifactCache(std::move(options), source));
}

absl::StatusOr<HeldArtifact> ArtifactCache::Get(const std::string& sha256,
                                                int64_t size_bytes) {
  if (!IsSha256Hex(sha256)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "artifact name '", sha256, "' is not 64 hexadecimal digits"));
  }
  if (size_bytes < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("artifact ", sha256, " with a negative size"));
  }
  {
    MutexLock lock(&mutex_);
    mutex_.Await([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return !busy_.contains(sha256);
    });
    busy_.insert(sha256);
  }
  absl::Cleanup release = [&] {
    MutexLock lock(&mutex_);
    busy_.erase(sha256);
  };
  absl::StatusOr<HeldArtifact> held = OpenCached(sha256);
  if (held.ok() || !absl::IsNotFound(held.status())) return held;
  ABSL_RETURN_IF_ERROR(Fetch(sha256, size_bytes));
  held = OpenCached(sha256);
  if (held.ok()) Evict();
  return held;
}

absl::StatusOr<HeldArtifact> ArtifactCache::OpenCached(
    const std::string& sha256) {
  std::string path = JoinPath(options_.dir, sha256);
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  if (flock(fd.get(), LOCK_SH) != 0) return absl::ErrnoToStatus(errno, "flock");
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return absl::ErrnoToStatus(errno, "fstat");
  if (info.st_nlink == 0) return absl::NotFoundError("evicted meanwhile");
  {
    MutexLock lock(&mutex_);
    if (verified_.contains(sha256)) {
      futimens(fd.get(), nullptr);
      return HeldArtifact(std::move(fd), info.st_size);
    }
  }
  ABSL_ASSIGN_OR_RETURN(std::string actual, Sha256HexOfFile(FdPath(fd.get())));
  if (actual != sha256) {
    // Damaged on disk: as good as absent.
    unlink(path.c_str());
    return absl::NotFoundError("damaged");
  }
  futimens(fd.get(), nullptr);
  MutexLock lock(&mutex_);
  verified_.insert(sha256);
  return HeldArtifact(std::move(fd), info.st_size);
}

absl::Status ArtifactCache::Fetch(const std::string& sha256,
                                  int64_t size_bytes) {
  std::string partial =
      JoinPath(options_.dir, absl::StrCat(kPartial, "XXXXXX"));
  UniqueFd fd(mkostemp(partial.data(), O_CLOEXEC));
  if (!fd) {
    return WriteError(absl::ErrnoToStatus(errno, "create a file"),
                      options_.dir);
  }
  absl::Cleanup remover = [&partial] { unlink(partial.c_str()); };
  flock(fd.get(), LOCK_EX);
  ABSL_RETURN_IF_ERROR(
      FetchInto(source_, sha256, size_bytes, fd.get(), options_.dir));
  ABSL_ASSIGN_OR_RETURN(std::string actual, Sha256HexOfFile(FdPath(fd.get())));
  if (actual != sha256) {
    return absl::DataLossError(
        absl::StrCat("artifact ", sha256, " arrived with SHA-256 ", actual));
  }
  if (fchmod(fd.get(), 0644) != 0 || fdatasync(fd.get()) != 0) {
    return WriteError(absl::ErrnoToStatus(errno, "sync"), options_.dir);
  }
  std::string path = JoinPath(options_.dir, sha256);
  if (rename(partial.c_str(), path.c_str()) != 0) {
    return WriteError(absl::ErrnoToStatus(errno, "rename"), options_.dir);
  }
  std::move(remover).Cancel();
  MutexLock lock(&mutex_);
  verified_.insert(sha256);
  return absl::OkStatus();
}

void ArtifactCache::Evict() {
  auto names = ListDir(options_.dir);
  if (!names.ok()) return;
  std::vector<CachedFile> files;
  int64_t total = 0;
  for (const std::string& name : *names) {
    if (!IsSha256Hex(name)) continue;
    std::string path = JoinPath(options_.dir, name);
    struct stat info;
    if (stat(path.c_str(), &info) != 0) continue;
    total += info.st_size;
    files.push_back({info.st_mtim, info.st_size, std::move(path)});
  }
  std::sort(files.begin(), files.end(),
            [](const CachedFile& a, const CachedFile& b) {
              return std::tie(a.used.tv_sec, a.used.tv_nsec) <
                     std::tie(b.used.tv_sec, b.used.tv_nsec);
            });
  for (const CachedFile& file : files) {
    if (total <= options_.max_bytes) return;
    auto fd = OpenFile(file.path, O_RDONLY);
    // Held, here or in another hostd: a shared lock is on it.
    if (!fd.ok() || flock(fd->get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (unlink(file.path.c_str()) == 0) total -= file.size_bytes;
    MutexLock lock(&mutex_);
    verified_.erase(std::string(Basename(file.path)));
  }
}

}  // namespace ktstr::hostd
