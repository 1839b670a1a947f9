// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::ktstrctl {
namespace {

// Socket addresses have 107 bytes; hostd adds directories of its own.
constexpr size_t kLongestBase = 40;
// A directory without a lock file is being made, unless it is this old.
constexpr int kUnlockedGraceSeconds = 60;

std::string BaseDir() {
  const char* tmpdir = getenv("TMPDIR");
  std::string base = tmpdir == nullptr ? "" : tmpdir;
  bool is_usable =
      !base.empty() && base[0] == '/' && base.size() <= kLongestBase;
  return is_usable ? base : "/tmp";
}

std::string Prefix() { return absl::StrCat("ktstr-run-", getuid(), "-"); }

// Whether nobody lives in `path`, a run directory of this user.
bool IsAbandoned(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) ||
      info.st_uid != getuid()) {
    return false;
  }
  UniqueFd lock(
      open(JoinPath(path, "lock").c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!lock) {
    return errno == ENOENT &&
           info.st_mtime + kUnlockedGraceSeconds < time(nullptr);
  }
  return flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
}

// A file that nobody else can have locked yet, under its final name at once.
absl::StatusOr<UniqueFd> MakeLock(const std::string& dir) {
  std::string temporary = JoinPath(dir, "lock-new");
  ABSL_ASSIGN_OR_RETURN(UniqueFd lock,
                        OpenFile(temporary, O_RDWR | O_CREAT | O_EXCL, 0600));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("lock ", temporary));
  }
  if (rename(temporary.c_str(), JoinPath(dir, "lock").c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("rename ", temporary));
  }
  return lock;
}

}  // namespace

absl::StatusOr<RunDirectory> RunDirectory::Create() {
  std::string base = BaseDir();
  SweepRunDirectories(base);
  std::string path = JoinPath(base, absl::StrCat(Prefix(), "XXXXXX"));
  if (mkdtemp(path.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("create ", path));
  }
  absl::StatusOr<UniqueFd> lock = MakeLock(path);
  if (!lock.ok()) {
    RemoveTree(path).IgnoreError();
    return lock.status();
  }
  return RunDirectory(std::move(path), *std::move(lock));
}

void RunDirectory::Remove() const {
  // A moved-from object owns nothing.
  if (lock_.is_valid()) RemoveTree(path_).IgnoreError();
}

int SweepRunDirectories(const std::string& base) {
  absl::StatusOr<std::vector<std::string>> names = ListDir(base);
  if (!names.ok()) return 0;
  int removed = 0;
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, Prefix())) continue;
    std::string path = JoinPath(base, name);
    if (IsAbandoned(path) && RemoveTree(path).ok()) ++removed;
  }
  return removed;
}

}  // namespace ktstr::ktstrctl
