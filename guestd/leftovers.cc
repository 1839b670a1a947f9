// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace ktstr::guestd {
namespace {

constexpr int kMaxDepth = 64;
constexpr pid_t kKernelThreadParent = 2;

// The kernel announces a change of cgroup.events as POLLPRI.
absl::Status AwaitEmpty(const std::string& cgroup, absl::Duration deadline) {
  std::string path = JoinPath(cgroup, "cgroup.events");
  absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  ABSL_RETURN_IF_ERROR(fd.status());
  while (true) {
    if (lseek(fd->get(), 0, SEEK_SET) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("seek ", path));
    }
    ABSL_ASSIGN_OR_RETURN(std::string events, ReadAll(fd->get(), 4096));
    if (!absl::StrContains(events, "populated 1")) return absl::OkStatus();
    absl::Duration left = deadline - RealClock().Monotonic();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          absl::StrCat("processes in ", cgroup, " do not die"));
    }
    pollfd waited = {.fd = fd->get(), .events = POLLPRI, .revents = 0};
    poll(&waited, 1,
         static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1,
                                            60 * 1000)));
  }
}

absl::Status RemoveDirs(const std::string& dir, int depth) {
  if (depth > kMaxDepth) {
    return absl::ResourceExhaustedError(
        absl::StrCat(dir, " is nested too deeply"));
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(dir));
  for (const std::string& name : names) {
    std::string path = JoinPath(dir, name);
    struct stat info;
    if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) continue;
    ABSL_RETURN_IF_ERROR(RemoveDirs(path, depth + 1));
  }
  if (rmdir(dir.c_str()) != 0 && errno != ENOENT) {
    return absl::ErrnoToStatus(errno, absl::StrCat("remove cgroup ", dir));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RemoveCgroupTree(const std::string& root,
                              absl::Duration deadline) {
  if (!FileExists(root)) return absl::OkStatus();
  absl::Status killed = WriteExisting(JoinPath(root, "cgroup.kill"), "1");
  if (!killed.ok() && !absl::IsNotFound(killed)) return killed;
  ABSL_RETURN_IF_ERROR(AwaitEmpty(root, deadline));
  return RemoveDirs(root, 0);
}

void ReapOrphans(const std::set<pid_t>& tracked) {
  while (true) {
    // A look first (WNOWAIT), so that no tracked status is taken away. A
    // tracked zombie at the head hides others until its owner has reaped it.
    siginfo_t info = {};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0 || tracked.count(info.si_pid) > 0) {
      return;
    }
    waitid(P_PID, info.si_pid, &info, WEXITED | WNOHANG);
  }
}

absl::optional<ProcessStat> ParseProcessStat(absl::string_view text) {
  size_t paren = text.rfind(") ");
  if (paren == absl::string_view::npos) return absl::nullopt;
  std::vector<absl::string_view> fields =
      absl::StrSplit(text.substr(paren + 2), ' ');
  ProcessStat stat;
  if (fields.size() < 3 || !absl::SimpleAtoi(fields[1], &stat.parent) ||
      !absl::SimpleAtoi(fields[2], &stat.group)) {
    return absl::nullopt;
  }
  return stat;
}

void KillStrays(const std::set<pid_t>& kept_groups) {
  absl::StatusOr<std::vector<std::string>> names = ListDir("/proc");
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(name, &pid) || pid <= kKernelThreadParent) continue;
    absl::StatusOr<std::string> text =
        ReadFile(absl::StrCat("/proc/", name, "/stat"), 8192);
    if (!text.ok()) continue;
    absl::optional<ProcessStat> stat = ParseProcessStat(*text);
    if (!stat || stat->parent == kKernelThreadParent ||
        kept_groups.count(stat->group) > 0) {
      continue;
    }
    kill(pid, SIGKILL);
  }
}

}  // namespace ktstr::guestd
