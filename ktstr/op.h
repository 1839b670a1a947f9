// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_OP_H_
#define KTSTR_KTSTR_OP_H_

#include <optional>
#include <string>
#include <vector>

#include "ktstr/cpu_set.h"
#include "ktstr/work.h"

namespace ktstr {

// One atomic action on cgroups, workers or payloads. What an op creates belongs
// to the step it is in (to the whole scenario when it is in the Backdrop), and
// is gone when that ends.
struct Op {
  // Positions are the bits of ktstr.v1.Stimulus.op_kinds: append only.
  enum class Kind {
    kAddCgroup = 0,
    kRemoveCgroup = 1,
    kSetCpuset = 2,
    kClearCpuset = 3,
    kSwapCpusets = 4,
    kSpawn = 5,
    kStopCgroup = 6,
    kSetAffinity = 7,
    kSpawnHost = 8,
    kMoveAllTasks = 9,
    kRunPayload = 10,
    kWaitPayload = 11,
    kKillPayload = 12,
  };

  // Creates an empty cgroup; an error when the name is in use.
  static Op add_cgroup(std::string name);
  // Collects the cgroup's workers and removes it. An unknown name is nothing to
  // do; a Backdrop cgroup is an error inside a step.
  static Op remove_cgroup(std::string name);
  static Op set_cpuset(std::string cgroup, CpuSet cpus);
  static Op clear_cpuset(std::string cgroup);
  // Writes each one's cpuset onto the other; a side without one is left alone.
  static Op swap_cpusets(std::string a, std::string b);
  static Op spawn(std::string cgroup, Work work);
  // Collects the cgroup's workers, keeps the directory. Ownership as
  // remove_cgroup.
  static Op stop_cgroup(std::string cgroup);
  // Applies to every worker of the cgroup.
  static Op set_affinity(std::string cgroup, Affinity affinity);
  // Workers outside the cgroups of the test, in the hierarchy's root.
  static Op spawn_host(Work work);
  // Moves every worker of `from`. Out of a Backdrop cgroup into one of a step
  // is an error; a step's workers moved into a Backdrop cgroup stay for good.
  static Op move_all_tasks(std::string from, std::string to);
  // External programs. Unimplemented: a scenario with one of these returns that
  // error before anything runs.
  static Op run_payload(std::string payload, std::vector<std::string> args,
                        std::string cgroup = "");
  static Op wait_payload(std::string payload, std::string cgroup = "");
  static Op kill_payload(std::string payload, std::string cgroup = "");

  // "set_cpuset(cg_0, llc(1))".
  std::string ToString() const;

  Kind kind = Kind::kAddCgroup;
  std::string cgroup;  // first name; payload ops: where it runs
  std::string other;   // second name; payload ops: the payload
  std::optional<CpuSet> cpus;
  Work work;
  Affinity affinity;
  std::vector<std::string> args;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_OP_H_
