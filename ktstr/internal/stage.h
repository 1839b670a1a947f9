// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_STAGE_H_
#define KTSTR_KTSTR_INTERNAL_STAGE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ktstr/context.h"
#include "ktstr/cpu_max.h"
#include "ktstr/internal/evaluate.h"
#include "ktstr/internal/payload_plan.h"
#include "ktstr/internal/payload_process.h"
#include "ktstr/internal/phases.h"
#include "ktstr/internal/scheduler_watch.h"
#include "ktstr/internal/seed.h"
#include "ktstr/internal/worker_group.h"
#include "ktstr/internal/worker_sample.h"
#include "ktstr/op.h"
#include "ktstr/scenario.h"
#include "ktstr/verdict.h"

namespace ktstr::internal {

// Whether an op on the machine (its CPUs, its scheduler) can be done at all:
// InvalidArgument or Unimplemented when not, OK for every other op.
absl::Status CheckMachineOp(const Op& op, const Context& context);

// Whether an op on a payload can be meant: InvalidArgument when not, OK for
// every other op.
absl::Status CheckPayloadOp(const Op& op);

// The cgroups and workers of a running scenario, and who owns them. Applies ops
// one at a time; knows nothing of steps in time.
//
// Lifetime: the context outlives it. The destructor kills workers and payloads
//           that were not collected.
class Stage {
 public:
  enum class Owner { kBackdrop, kStep };

  Stage(const Context& context, const Checks& checks);
  // Brings CPUs back.
  ~Stage();

  // What ops of kind AddCgroup, Spawn, SpawnHost and definitions create belongs
  // to `owner`.
  //
  // Errors:
  //   AlreadyExists       the cgroup's name is in use.
  //   NotFound            there is no such cgroup; says when an earlier step
  //                       owned it.
  //   FailedPrecondition  a step touches what the Backdrop owns.
  //   InvalidArgument     a cpuset, affinity or worker count that does not fit.
  //   others              from the kernel.
  absl::Status Apply(const Op& op, Owner owner);
  absl::Status Make(const Cgroup& definition, Owner owner);

  // A step: BeginStep, ops and cgroups, BeginPhase, its hold, EndPhase,
  // Collect, EndStep. Its checks judge, over those of the scenario, what it
  // owns, and by themselves what the Backdrop's workers did in the phase;
  // EndStep() adds findings for what could not be judged. Findings say `where`.
  void BeginStep(const Step& step, const std::string& where);
  void BeginPhase();
  void EndPhase();
  void EndStep();
  // Whether phases are measured at all; it costs a look at every worker.
  void set_samples_phases(bool samples) { samples_phases_ = samples; }
  const Phases& phases() const { return phases_; }

  // Stops, judges and removes everything of `owner`; payloads at last.
  void Collect(Owner owner);

  // Brings back the CPUs that ops took away; one that does not come is a
  // finding.
  void RestoreCpus();

  // The scheduler that is attached now.
  const SchedulerWatch& watch() const { return watch_; }

  // The verdict so far: groups collected, and findings added.
  Verdict& verdict() { return verdict_; }
  const Evaluated& evaluated() const { return evaluated_; }

  int num_cgroups() const { return static_cast<int>(tracked_.size()); }
  int num_workers() const;
  int64_t TotalIterations() const;

 private:
  struct Tracked {
    std::string name;
    Owner owner;
  };
  struct Group {
    std::string cgroup;
    Owner owner;
    std::unique_ptr<WorkerGroup> workers;
    std::map<uint32_t, std::optional<std::vector<int>>> placements;
    // Less what its cgroup had been throttled when the group came into it.
    absl::Duration throttled;
    // When the phase began, or the group if that was later.
    struct Mark {
      std::vector<WorkerSample> samples;  // none: everything was zero
      absl::Duration at;
      absl::Duration frozen;
    } mark;
  };

  struct Payload {
    PayloadPlan plan;
    Owner owner;
    const char* starter;  // "an op" or "the definition of the cgroup"
    std::unique_ptr<PayloadProcess> process;
  };

  const Tracked* Find(const std::string& name) const;
  absl::Status Require(const std::string& name) const;
  absl::Status RequireOwned(const std::string& name, Owner owner) const;
  absl::Status AddCgroup(const std::string& name, Owner owner);
  absl::Status RemoveCgroup(const std::string& name, Owner owner);
  absl::Status SetCpuset(const std::string& name, const CpuSet& cpus);
  absl::Status WriteCpuset(const std::string& name,
                           const std::vector<int>& cpus);
  absl::Status ClearCpuset(const std::string& name);
  absl::Status SwapCpusets(const std::string& a, const std::string& b);
  absl::Status SetWeight(const std::string& name, int weight);
  absl::Status SetCpuMax(const std::string& name, const CpuMax& max);
  absl::Status SetIdle(const std::string& name, bool is_idle);
  absl::Status Freeze(const std::string& name);
  absl::Status Thaw(const std::string& name);
  absl::Status SetAttributes(const Cgroup& definition);
  absl::Status SetOnline(int cpu, bool is_online);
  std::vector<int> Online(const std::vector<int>& cpus) const;
  absl::Status ChangeScheduler(const Op& op);
  void MarkPhase(Group& group, bool is_new);
  PhaseShare ShareOf(const Group& group) const;
  // What is known of a cgroup that is no more.
  void Forget(const std::string& name);
  // Tells each group whether it is in a frozen cgroup.
  void UpdateFrozen();
  // Thaws what the groups in question are in.
  void ThawFor(const std::function<bool(const Group&)>& selected);
  void ThawAround(const std::set<std::string>& cgroups);
  // By every limit on the way from the root down to `cgroup`.
  absl::Duration Throttled(const std::string& cgroup) const;
  absl::Status Spawn(const std::string& cgroup, const Work& work, Owner owner);
  absl::Status SetAffinity(const std::string& cgroup, const Affinity& affinity);
  absl::Status RunPayload(std::shared_ptr<const PayloadDef> def,
                          const std::vector<std::string>& args,
                          const std::string& cgroup, Owner owner,
                          const char* starter);
  absl::Status WaitPayload(const Op& op);
  absl::Status KillPayload(const Op& op);
  // The one an op means, by its name and perhaps a cgroup.
  absl::StatusOr<size_t> FindPayload(const Op& op) const;
  void ConcludePayload(Payload payload);
  // Stops them all at the same time.
  void EndPayloads(const std::function<bool(const Payload&)>& selected);
  absl::Status MoveAllTasks(const std::string& from, const std::string& to,
                            Owner owner);

  // CPUs the kernel will allow in `cgroup`; unset without any cpuset.
  std::optional<std::vector<int>> Effective(const std::string& cgroup) const;
  absl::StatusOr<std::vector<std::vector<int>>> ResolveAffinity(
      const Affinity& affinity, const std::string& cgroup, int workers);
  std::vector<int> RandomHalf(std::vector<int> pool);
  std::vector<int> LargestLlcShare(const std::vector<int>& pool) const;

  // Runs `change` with the placement of the groups in and below `cgroup` (all
  // when it is empty) open,
  // then records what they are allowed.
  absl::Status ChangePlacement(const std::string& cgroup,
                               const std::function<absl::Status()>& change);
  PagePlacement PlacementOf(const Group& group) const;
  void CollectWhere(const std::function<bool(const Group&)>& selected);
  void RemoveDirs(Owner owner);

  const Context& context_;
  const Checks checks_;
  SeededStream random_;
  uint64_t groups_spawned_ = 0;
  std::vector<Tracked> tracked_;  // creation order
  std::set<std::string> past_;    // names earlier steps owned
  std::map<std::string, std::vector<int>> cpusets_;
  std::set<std::string> limited_;  // have, or had, a cpu.max
  std::set<std::string> frozen_;
  std::set<int> offline_;
  SchedulerWatch watch_;
  std::vector<Group> groups_;
  std::vector<Payload> payloads_;
  // Name and cgroup of those that have been collected.
  std::set<std::pair<std::string, std::string>> past_payloads_;
  Verdict verdict_;
  Evaluated evaluated_;
  std::string label_;  // of the step
  std::string where_;
  bool samples_phases_ = false;
  bool is_in_phase_ = false;
  std::vector<PhaseShare> ended_;  // in this phase
  Phases phases_;
  std::optional<Checks> step_checks_;
  Evaluated step_evaluated_;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_STAGE_H_
