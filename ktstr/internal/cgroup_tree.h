// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_CGROUP_TREE_H_
#define KTSTR_KTSTR_INTERNAL_CGROUP_TREE_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ktstr/cpu_max.h"

namespace ktstr {

// The cgroups a test owns: one directory and what is below it. Names are
// relative to it and may be nested ("a/b").
//
// Threads: one thread.
class CgroupTree {
 public:
  virtual ~CgroupTree() = default;

  // Creates the root and enables the cpuset controller down to it.
  virtual absl::Status SetUp() = 0;

  // Creates the directory and its missing parents, with cpuset enabled on the
  // way. Existing is OK. Returns the names it created, outermost first.
  virtual absl::StatusOr<std::vector<std::string>> Create(
      const std::string& name) = 0;

  // Moves remaining tasks out and removes the directory. Absent is OK.
  virtual absl::Status Remove(const std::string& name) = 0;

  virtual absl::Status SetCpuset(const std::string& name,
                                 const std::vector<int>& cpus) = 0;
  // Allows what the parent allows. The kernel does not take the set away from a
  // cgroup with tasks in it: that one is given every CPU of its parent.
  virtual absl::Status ClearCpuset(const std::string& name) = 0;
  // What was last set; empty when nothing is.
  virtual absl::StatusOr<std::vector<int>> ReadCpuset(
      const std::string& name) = 0;

  // These enable the cpu controller from the root down to `name` first. The
  // caller has checked that values are what the kernel takes.
  virtual absl::Status SetWeight(const std::string& name, int weight) = 0;
  virtual absl::Status SetCpuMax(const std::string& name,
                                 const CpuMax& max) = 0;
  virtual absl::Status SetIdle(const std::string& name, bool is_idle) = 0;
  // For how long cpu.max kept tasks of `name` from running, summed over CPUs.
  virtual absl::StatusOr<absl::Duration> ReadThrottled(
      const std::string& name) = 0;

  // Freezing waits until the kernel says that every task in and below `name`
  // has stopped; thawing does not wait.
  virtual absl::Status SetFrozen(const std::string& name, bool is_frozen) = 0;

  // A task that is gone is skipped. The empty name is the hierarchy's root,
  // outside of what the test owns.
  virtual absl::Status MoveTasks(const std::string& name,
                                 const std::vector<pid_t>& pids) = 0;

  // Disables every controller for the children of `name`, so that it may hold
  // tasks itself.
  virtual absl::Status ClearSubtreeControl(const std::string& name) = 0;

  // Removes everything below the root, and the root. Best effort.
  virtual void RemoveAll() = 0;
};

namespace internal {

// The kernel's, below `options.root` (cgroup v2).
//
// Blocks: each write for at most `write_timeout`: it runs in a child process,
// because a
//         write into a cgroup file can hang in the kernel while the scheduler
//         under test misbehaves.
// Errors: InvalidArgument for a name that is absolute, empty or has ".." parts;
//         DeadlineExceeded for a write that hung; else the mapping of errno
//         with the file in the message.
struct KernelCgroupOptions {
  std::string root = "/sys/fs/cgroup/ktstr";
  // Above `root`: where tasks go that have to leave it.
  std::string hierarchy = "/sys/fs/cgroup";
  absl::Duration write_timeout = absl::Seconds(2);
  // False: RemoveAll leaves `root` itself to whoever made it.
  bool owns_root = true;
  // SetUp hands on the cpu controller, too.
  bool has_cpu_controller = false;
};
std::unique_ptr<CgroupTree> MakeKernelCgroupTree(KernelCgroupOptions options);

// InvalidArgument unless `name` is a relative path of proper parts.
absl::Status CheckCgroupName(const std::string& name);

}  // namespace internal
}  // namespace ktstr

#endif  // KTSTR_KTSTR_INTERNAL_CGROUP_TREE_H_
