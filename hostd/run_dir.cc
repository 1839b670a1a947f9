// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::hostd {
namespace {

constexpr absl::string_view kPrefix = "host-";

absl::StatusOr<UniqueFd> LockFile(const std::string& path, int operation) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDWR | O_CREAT, 0600));
  int result;
  do {
    result = flock(fd.get(), operation);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return absl::ErrnoToStatus(errno, "lock " + path);
  return fd;
}

void SweepDead(const std::string& root) {
  auto names = ListDir(root);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, kPrefix)) continue;
    std::string dir = JoinPath(root, name);
    auto lock = LockFile(JoinPath(dir, "lock"), LOCK_EX | LOCK_NB);
    // What cannot be locked belongs to a living hostd.
    if (lock.ok()) RemoveTree(dir).IgnoreError();
  }
}

}  // namespace

absl::StatusOr<RunDir> RunDir::Create(const std::string& root) {
  // A hostd that ends removes an empty root: a few tries meet that.
  constexpr int kTries = 5;
  for (int i = 1; i < kTries; ++i) {
    absl::StatusOr<RunDir> made = TryCreate(root);
    if (!absl::IsNotFound(made.status())) return made;
  }
  return TryCreate(root);
}

absl::StatusOr<RunDir> RunDir::TryCreate(const std::string& root) {
  ABSL_RETURN_IF_ERROR(MakeDirs(root, 0700));
  // Held while looking and making, so that no other hostd sees a directory
  // that is not locked yet. A directory is its own lock file: nothing stays.
  ABSL_ASSIGN_OR_RETURN(UniqueFd guard, OpenFile(root, O_RDONLY | O_DIRECTORY));
  while (flock(guard.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "lock " + root);
  }
  SweepDead(root);
  std::string path = JoinPath(root, absl::StrCat(kPrefix, "XXXXXX"));
  if (mkdtemp(path.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, "create " + path);
  }
  ABSL_ASSIGN_OR_RETURN(UniqueFd lock,
                        LockFile(JoinPath(path, "lock"), LOCK_EX | LOCK_NB));
  return RunDir(root, std::move(path), std::move(lock));
}

RunDir::RunDir(RunDir&& other) noexcept
    : root_(std::move(other.root_)),
      path_(std::exchange(other.path_, "")),
      lock_(std::move(other.lock_)),
      is_kept_(other.is_kept_) {}

RunDir::~RunDir() {
  if (path_.empty() || is_kept_) return;
  RemoveTree(path_).IgnoreError();
  // Fails, as it should, while others use it.
  rmdir(root_.c_str());
}

absl::StatusOr<std::string> RunDir::MakeAttemptDir() const {
  std::string path = JoinPath(path_, "XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, "create " + path);
  }
  return path;
}

absl::StatusOr<Sweeper> Sweeper::Start(const std::string& program,
                                       const std::string& run_dir) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  CommandSpec command;
  command.argv = {program, "--sweep-after", "3", "--run-dir", run_dir};
  command.inherited_fds = {{read_end.get(), 3}};
  command.die_with_parent = false;
  ABSL_ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start(command));
  return Sweeper(std::move(process), std::move(write_end));
}

void SweepAfter(int fd, const std::string& run_dir) {
  // A terminal's Ctrl-C and a supervisor's SIGTERM mean hostd, which ends this
  // process when it is done.
  for (int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  char byte;
  ssize_t count;
  do {
    count = read(fd, &byte, 1);
  } while (count > 0 || (count < 0 && errno == EINTR));
  RemoveTree(run_dir).IgnoreError();
  rmdir(std::string(Dirname(run_dir)).c_str());
}

}  // namespace ktstr::hostd
