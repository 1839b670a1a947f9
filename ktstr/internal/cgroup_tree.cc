// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/cgroup_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/poll.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "ktstr/internal/bounded_call.h"

namespace ktstr::internal {
namespace {

constexpr absl::Duration kDrainTimeout = absl::Seconds(1);
constexpr int kMoveAttempts = 3;
constexpr long kMoveRetryNs = 100'000'000;

int WriteOnce(int fd, const char* bytes, size_t size) {
  return write(fd, bytes, size) == static_cast<ssize_t>(size) ? 0 : errno;
}

// "busy" is retried: a scheduler may refuse a task for a moment.
int MoveOne(int procs_fd, pid_t pid) {
  char text[24];
  size_t size = 0;
  char digits[24];
  for (pid_t rest = pid; rest > 0; rest /= 10) digits[size++] = '0' + rest % 10;
  for (size_t i = 0; i < size; ++i) text[i] = digits[size - 1 - i];
  for (int attempt = 1;; ++attempt) {
    int error = WriteOnce(procs_fd, text, size);
    if (error == 0 || error == ESRCH) return 0;
    if (error != EBUSY || attempt == kMoveAttempts) return error;
    timespec pause{.tv_sec = 0, .tv_nsec = kMoveRetryNs};
    nanosleep(&pause, nullptr);
  }
}

std::vector<pid_t> ParsePids(absl::string_view text) {
  std::vector<pid_t> pids;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    int pid = 0;
    if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.push_back(pid);
  }
  return pids;
}

// Waits until the kernel says `state` ("populated 0") of `dir`.
absl::Status AwaitState(const std::string& dir, absl::string_view state,
                        absl::Duration timeout) {
  const std::string path = JoinPath(dir, "cgroup.events");
  ABSL_ASSIGN_OR_RETURN(UniqueFd events, OpenFile(path, O_RDONLY));
  const absl::Duration deadline = RealClock().Monotonic() + timeout;
  for (;;) {
    lseek(events.get(), 0, SEEK_SET);
    ABSL_ASSIGN_OR_RETURN(std::string text, ReadAll(events.get(), 4096));
    if (absl::StrContains(text, state)) return absl::OkStatus();
    pollfd changed[] = {{.fd = events.get(), .events = POLLPRI, .revents = 0}};
    ABSL_ASSIGN_OR_RETURN(int ready,
                          PollUntil(absl::MakeSpan(changed), deadline));
    if (ready == 0) {
      return absl::DeadlineExceededError(
          absl::StrCat(path, " does not say \"", state, "\" within ",
                       absl::FormatDuration(timeout)));
    }
  }
}

// The number behind `key` in a file of "key number" lines; 0 when it is absent.
uint64_t FindNumber(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    uint64_t value = 0;
    if (parts.first == key && absl::SimpleAtoi(parts.second, &value)) {
      return value;
    }
  }
  return 0;
}

class KernelCgroupTree : public CgroupTree {
 public:
  explicit KernelCgroupTree(KernelCgroupOptions options)
      : root_(std::move(options.root)),
        hierarchy_(std::move(options.hierarchy)),
        write_timeout_(options.write_timeout),
        owns_root_(options.owns_root),
        has_cpu_controller_(options.has_cpu_controller) {}

  absl::Status SetUp() override {
    ABSL_RETURN_IF_ERROR(Enable(std::string(Dirname(root_)), "cpuset"));
    ABSL_RETURN_IF_ERROR(MakeDirs(root_));
    if (has_cpu_controller_) {
      ABSL_RETURN_IF_ERROR(Enable(std::string(Dirname(root_)), "cpu"));
      ABSL_RETURN_IF_ERROR(Enable(root_, "cpu"));
    }
    return Enable(root_, "cpuset");
  }

  absl::StatusOr<std::vector<std::string>> Create(
      const std::string& name) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    std::vector<std::string> created;
    std::string path;
    for (absl::string_view part : absl::StrSplit(name, '/')) {
      // The parent of the part about to be made hands cpuset on.
      if (!path.empty()) ABSL_RETURN_IF_ERROR(Enable(Dir(path), "cpuset"));
      path = path.empty() ? std::string(part) : absl::StrCat(path, "/", part);
      if (mkdir(Dir(path).c_str(), 0755) == 0) {
        created.push_back(path);
      } else if (errno != EEXIST) {
        return absl::ErrnoToStatus(errno, absl::StrCat("mkdir ", Dir(path)));
      }
    }
    return created;
  }

  absl::Status Remove(const std::string& name) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    return RemoveDir(Dir(name));
  }

  absl::Status SetCpuset(const std::string& name,
                         const std::vector<int>& cpus) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    return BoundedWrite(JoinPath(Dir(name), "cpuset.cpus"),
                        FormatCpuList(cpus));
  }

  absl::Status ClearCpuset(const std::string& name) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    const std::string path = JoinPath(Dir(name), "cpuset.cpus");
    absl::Status status = BoundedWrite(path, "\n");
    if (!absl::IsResourceExhausted(status)) return status;
    ABSL_ASSIGN_OR_RETURN(
        std::string all,
        ReadFile(JoinPath(Dirname(Dir(name)), "cpuset.cpus.effective"),
                 1 << 16));
    return BoundedWrite(path, std::string(absl::StripAsciiWhitespace(all)));
  }

  absl::StatusOr<std::vector<int>> ReadCpuset(
      const std::string& name) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    ABSL_ASSIGN_OR_RETURN(
        std::string text,
        ReadFile(JoinPath(Dir(name), "cpuset.cpus"), 1 << 16));
    return ParseCpuList(absl::StripAsciiWhitespace(text));
  }

  absl::Status SetWeight(const std::string& name, int weight) override {
    return WriteCpuFile(name, "cpu.weight", absl::StrCat(weight));
  }

  absl::Status SetCpuMax(const std::string& name, const CpuMax& max) override {
    const std::string quota =
        max.quota ? absl::StrCat(max.quota->count()) : "max";
    return WriteCpuFile(name, "cpu.max",
                        absl::StrCat(quota, " ", max.period.count()));
  }

  absl::Status SetIdle(const std::string& name, bool is_idle) override {
    return WriteCpuFile(name, "cpu.idle", is_idle ? "1" : "0");
  }

  absl::StatusOr<absl::Duration> ReadThrottled(
      const std::string& name) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    ABSL_ASSIGN_OR_RETURN(std::string text,
                          ReadFile(JoinPath(Dir(name), "cpu.stat"), 1 << 16));
    return absl::Microseconds(
        static_cast<int64_t>(FindNumber(text, "throttled_usec")));
  }

  absl::Status SetFrozen(const std::string& name, bool is_frozen) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    ABSL_RETURN_IF_ERROR(BoundedWrite(JoinPath(Dir(name), "cgroup.freeze"),
                                      is_frozen ? "1" : "0"));
    if (!is_frozen) return absl::OkStatus();
    return AwaitState(Dir(name), "frozen 1", write_timeout_);
  }

  absl::Status MoveTasks(const std::string& name,
                         const std::vector<pid_t>& pids) override {
    std::string dir = hierarchy_;
    if (!name.empty()) {
      ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
      dir = Dir(name);
    }
    return MoveInto(dir, pids);
  }

  absl::Status ClearSubtreeControl(const std::string& name) override {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    std::string path = JoinPath(Dir(name), "cgroup.subtree_control");
    ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path, 4096));
    for (absl::string_view controller : absl::StrSplit(
             absl::StripAsciiWhitespace(text), ' ', absl::SkipEmpty())) {
      ABSL_RETURN_IF_ERROR(BoundedWrite(path, absl::StrCat("-", controller)));
    }
    return absl::OkStatus();
  }

  void RemoveAll() override {
    RemoveBelow(root_);
    if (owns_root_) RemoveDir(root_).IgnoreError();
  }

 private:
  std::string Dir(const std::string& name) const {
    return JoinPath(root_, name);
  }

  absl::Status BoundedWrite(const std::string& path, const std::string& bytes) {
    return WriteBounded(path, bytes, write_timeout_);
  }

  // Hands the cpu controller on from the hierarchy to `name`, then writes.
  absl::Status WriteCpuFile(const std::string& name, const std::string& file,
                            const std::string& value) {
    ABSL_RETURN_IF_ERROR(CheckCgroupName(name));
    const std::string below =
        absl::StrCat(absl::StripPrefix(root_, hierarchy_), "/", name);
    std::string dir = hierarchy_;
    for (absl::string_view part :
         absl::StrSplit(below, '/', absl::SkipEmpty())) {
      ABSL_RETURN_IF_ERROR(Enable(dir, "cpu"));
      dir = JoinPath(dir, part);
    }
    return BoundedWrite(JoinPath(dir, file), value);
  }

  // Makes `controller` available to the children of `dir`.
  absl::Status Enable(const std::string& dir, absl::string_view controller) {
    std::string path = JoinPath(dir, "cgroup.subtree_control");
    ABSL_ASSIGN_OR_RETURN(std::string enabled, ReadFile(path, 4096));
    for (absl::string_view word :
         absl::StrSplit(absl::StripAsciiWhitespace(enabled), ' ')) {
      if (word == controller) return absl::OkStatus();
    }
    return BoundedWrite(path, absl::StrCat("+", controller));
  }

  absl::Status MoveInto(const std::string& dir,
                        const std::vector<pid_t>& pids) {
    std::string path = JoinPath(dir, "cgroup.procs");
    ABSL_ASSIGN_OR_RETURN(UniqueFd procs, OpenFile(path, O_WRONLY));
    return RunBounded(absl::StrCat("move ", pids.size(), " tasks into ", path),
                      write_timeout_, [&] {
                        for (pid_t pid : pids) {
                          if (int error = MoveOne(procs.get(), pid); error != 0)
                            return error;
                        }
                        return 0;
                      });
  }

  absl::Status RemoveDir(const std::string& dir) {
    if (rmdir(dir.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    if (errno != EBUSY) return absl::ErrnoToStatus(errno, "rmdir " + dir);
    absl::StatusOr<std::string> tasks =
        ReadFile(JoinPath(dir, "cgroup.procs"), 1 << 20);
    if (tasks.ok()) {
      ABSL_RETURN_IF_ERROR(MoveInto(hierarchy_, ParsePids(*tasks)));
    }
    AwaitState(dir, "populated 0", kDrainTimeout).IgnoreError();
    if (rmdir(dir.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(
        errno,
        absl::StrCat(
            "rmdir ", dir,
            errno == EBUSY ? " (it still has tasks or cgroups below it)" : ""));
  }

  void RemoveBelow(const std::string& dir) {
    absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
    if (!names.ok()) return;
    for (const std::string& name : *names) {
      std::string path = JoinPath(dir, name);
      struct stat info {};
      if (lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        RemoveBelow(path);
        RemoveDir(path).IgnoreError();
      }
    }
  }

  const std::string root_;
  const std::string hierarchy_;
  const absl::Duration write_timeout_;
  const bool owns_root_;
  const bool has_cpu_controller_;
};

}  // namespace

absl::Status CheckCgroupName(const std::string& name) {
  for (absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return absl::InvalidArgumentError(absl::StrCat(
          "cgroup name \"", name,
          "\" is not a relative path without \".\" and \"..\" parts"));
    }
  }
  return absl::OkStatus();
}

std::unique_ptr<CgroupTree> MakeKernelCgroupTree(KernelCgroupOptions options) {
  return std::make_unique<KernelCgroupTree>(std::move(options));
}

}  // namespace ktstr::internal
