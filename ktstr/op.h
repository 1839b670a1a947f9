// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_OP_H_
#define KTSTR_KTSTR_OP_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ktstr/cpu_max.h"
#include "ktstr/cpu_set.h"
#include "ktstr/payload.h"
#include "ktstr/work.h"

namespace ktstr {

// One atomic action on cgroups, workers or payloads. What an op creates belongs
// to the step it is in (to the whole scenario when it is in the Backdrop), and
// is gone when that ends.
struct Op {
  // Positions are the bits of ktstr.v1.Stimulus.op_kinds: append only. Names
  // are those of ktstr.v1.OpKind.
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
    kSetWeight = 13,
    kSetCpuMax = 14,
    kSetIdle = 15,
    kFreeze = 16,
    kThaw = 17,
    kOfflineCpu = 18,
    kOnlineCpu = 19,
    kAttachScheduler = 20,
    kDetachScheduler = 21,
    kReplaceScheduler = 22,
  };

  // Creates an empty cgroup; an error when the name is in use.
  static Op add_cgroup(std::string name);
  // Collects the cgroup's workers and payloads, and removes it. An unknown name
  // is nothing to do; a Backdrop cgroup is an error inside a step.
  static Op remove_cgroup(std::string name);
  static Op set_cpuset(std::string cgroup, CpuSet cpus);
  static Op clear_cpuset(std::string cgroup);
  // Writes each one's cpuset onto the other; a side without one is left alone.
  static Op swap_cpusets(std::string a, std::string b);
  static Op spawn(std::string cgroup, Work work);
  // Collects the cgroup's workers and payloads, keeps the directory. Ownership
  // as remove_cgroup.
  static Op stop_cgroup(std::string cgroup);
  // Applies to every worker of the cgroup.
  static Op set_affinity(std::string cgroup, Affinity affinity);
  // Workers outside the cgroups of the test, in the hierarchy's root.
  static Op spawn_host(Work work);
  // Moves every worker of `from`, payloads stay. Out of a Backdrop cgroup into
  // one of a step is an error; a step's workers moved into a Backdrop cgroup
  // stay for good.
  static Op move_all_tasks(std::string from, std::string to);
  // External programs. A payload runs at most once at a time in each cgroup,
  // and outside of them; without a cgroup it runs where the test is. One that
  // still runs when the step (or, in the Backdrop, the scenario) ends is
  // stopped as its definition says. Checks and metrics go into the result.
  static Op run_payload(const PayloadDef& payload,
                        std::vector<std::string> args = {},
                        std::string cgroup = "");
  // For its end, however long that takes; an error once the scheduler has died.
  // Without a cgroup: the only one of that name that runs.
  static Op wait_payload(const PayloadDef& payload, std::string cgroup = "");
  // Stops it as its definition says, or as told.
  static Op kill_payload(const PayloadDef& payload, std::string cgroup = "");
  static Op kill_payload(const PayloadDef& payload, std::string cgroup,
                         const PayloadStop& how);

  // How CPU time is shared with the cgroups beside it. The first of these ops
  // (and of the same settings of a Cgroup) enables the cpu controller for the
  // cgroup and for those beside and above it: each is one entity to its parent
  // from then on.
  //
  // 1 to 10000; the kernel's default is 100. An idle cgroup has no weight.
  static Op set_weight(std::string cgroup, int weight);
  static Op set_cpu_max(std::string cgroup, CpuMax max);
  // Runs only when nothing else wants the CPU.
  static Op set_idle(std::string cgroup, bool idle = true);
  // Stops every task in and below the cgroup, and waits until the kernel says
  // so. That time is not held against the workers. A cgroup that is frozen when
  // workers in it are collected is thawed.
  static Op freeze(std::string cgroup);
  static Op thaw(std::string cgroup);

  // Takes a CPU other than 0 away, until online_cpu() or the end of the
  // scenario, which brings all of them back. Descriptions of CPUs ("usable",
  // llc(i), ...) go on counting it. The kernel ends a scheduler that does not
  // deal with CPUs that come and go; that is a failed test.
  static Op offline_cpu(int cpu);
  static Op online_cpu(int cpu);

  // The scheduler under test, which is attached when the test begins. What the
  // test detaches itself has not died. `args` take the place of those of the
  // attempt. replace detaches one and attaches the next. Unimplemented where
  // guestd did not start the test.
  static Op attach_scheduler();
  static Op attach_scheduler(std::vector<std::string> args);
  static Op detach_scheduler();
  static Op replace_scheduler();
  static Op replace_scheduler(std::vector<std::string> args);

  // "set_cpuset(cg_0, llc(1))".
  std::string ToString() const;

  Kind kind = Kind::kAddCgroup;
  std::string cgroup;  // first name; payload ops: where it runs
  std::string other;   // second name
  std::optional<CpuSet> cpus;
  Work work;
  Affinity affinity;
  std::vector<std::string> args;
  int weight = 0;
  CpuMax cpu_max;
  bool is_idle = false;
  int cpu = 0;
  bool has_args = false;
  std::shared_ptr<const PayloadDef> payload;
  std::optional<PayloadStop> stop;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_OP_H_
