// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/stage.h"

#include <stdio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ktstr/internal/memory_rules.h"

namespace ktstr::internal {
namespace {

void Warn(const absl::Status& status) {
  fprintf(stderr, "ktstr: warning: %s\n",
          std::string(status.message()).c_str());
}

}  // namespace

Stage::Stage(const Context& context, const Checks& checks)
    : context_(context),
      checks_(checks),
      random_(context.seed()),
      watch_(context.sched_pid()) {}

Stage::~Stage() { RestoreCpus(); }

int Stage::num_workers() const {
  int workers = 0;
  for (const Group& group : groups_) workers += group.workers->spec().workers;
  return workers;
}

int64_t Stage::TotalIterations() const {
  int64_t total = 0;
  for (const Group& group : groups_) total += group.workers->TotalIterations();
  return total;
}

const Stage::Tracked* Stage::Find(const std::string& name) const {
  for (const Tracked& tracked : tracked_) {
    if (tracked.name == name) return &tracked;
  }
  return nullptr;
}

absl::Status Stage::Require(const std::string& name) const {
  if (Find(name) != nullptr) return absl::OkStatus();
  if (past_.contains(name)) {
    return absl::NotFoundError(absl::StrCat(
        "cgroup \"", name,
        "\" belonged to an earlier step and was removed with it; put it into "
        "the Backdrop to keep it"));
  }
  return absl::NotFoundError(absl::StrCat("there is no cgroup \"", name, "\""));
}

absl::Status Stage::RequireOwned(const std::string& name, Owner owner) const {
  const Tracked* tracked = Find(name);
  if (tracked != nullptr && tracked->owner == Owner::kBackdrop &&
      owner == Owner::kStep) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cgroup \"", name, "\" belongs to the Backdrop; a step cannot end it"));
  }
  return absl::OkStatus();
}

absl::Status Stage::Apply(const Op& op, Owner owner) {
  auto apply = [&]() -> absl::Status {
    switch (op.kind) {
      case Op::Kind::kAddCgroup:
        return AddCgroup(op.cgroup, owner);
      case Op::Kind::kRemoveCgroup:
        return RemoveCgroup(op.cgroup, owner);
      case Op::Kind::kSetCpuset:
        return SetCpuset(op.cgroup, *op.cpus);
      case Op::Kind::kClearCpuset:
        return ClearCpuset(op.cgroup);
      case Op::Kind::kSwapCpusets:
        return SwapCpusets(op.cgroup, op.other);
      case Op::Kind::kSpawn:
        ABSL_RETURN_IF_ERROR(Require(op.cgroup));
        return Spawn(op.cgroup, op.work, owner);
      case Op::Kind::kStopCgroup:
        ABSL_RETURN_IF_ERROR(Require(op.cgroup));
        ABSL_RETURN_IF_ERROR(RequireOwned(op.cgroup, owner));
        CollectWhere([&](const Group& g) { return g.cgroup == op.cgroup; });
        EndPayloads(
            [&](const Payload& p) { return p.plan.cgroup == op.cgroup; });
        return absl::OkStatus();
      case Op::Kind::kSetAffinity:
        return SetAffinity(op.cgroup, op.affinity);
      case Op::Kind::kSpawnHost:
        return Spawn("", op.work, owner);
      case Op::Kind::kMoveAllTasks:
        return MoveAllTasks(op.cgroup, op.other, owner);
      case Op::Kind::kRunPayload:
        return RunPayload(op.payload, op.args, op.cgroup, owner, "an op");
      case Op::Kind::kWaitPayload:
        return WaitPayload(op);
      case Op::Kind::kKillPayload:
        return KillPayload(op);
      case Op::Kind::kSetWeight:
        return SetWeight(op.cgroup, op.weight);
      case Op::Kind::kSetCpuMax:
        return SetCpuMax(op.cgroup, op.cpu_max);
      case Op::Kind::kSetIdle:
        return SetIdle(op.cgroup, op.is_idle);
      case Op::Kind::kFreeze:
        return Freeze(op.cgroup);
      case Op::Kind::kThaw:
        return Thaw(op.cgroup);
      case Op::Kind::kOfflineCpu:
        return SetOnline(op.cpu, false);
      case Op::Kind::kOnlineCpu:
        return SetOnline(op.cpu, true);
      case Op::Kind::kAttachScheduler:
      case Op::Kind::kDetachScheduler:
      case Op::Kind::kReplaceScheduler:
        return ChangeScheduler(op);
    }
    return absl::InternalError("unknown op");
  };
  return Annotate(apply(), op.ToString());
}

absl::Status Stage::AddCgroup(const std::string& name, Owner owner) {
  if (Find(name) != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("there is a cgroup \"", name, "\" already"));
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> created,
                        context_.cgroups().Create(name));
  for (const std::string& part : created) {
    if (part != name) tracked_.push_back({part, owner});
  }
  tracked_.push_back({name, owner});
  return absl::OkStatus();
}

absl::Status Stage::RemoveCgroup(const std::string& name, Owner owner) {
  if (Find(name) == nullptr) return absl::OkStatus();
  ABSL_RETURN_IF_ERROR(RequireOwned(name, owner));
  CollectWhere([&](const Group& group) { return group.cgroup == name; });
  EndPayloads([&](const Payload& p) { return p.plan.cgroup == name; });
  Forget(name);
  std::erase_if(tracked_, [&](const Tracked& t) { return t.name == name; });
  if (absl::Status status = context_.cgroups().Remove(name); !status.ok()) {
    Warn(status);
  }
  return absl::OkStatus();
}

absl::Status Stage::ChangePlacement(
    const std::string& cgroup, const std::function<absl::Status()>& change) {
  std::vector<Group*> affected;
  for (Group& group : groups_) {
    if (cgroup.empty() || group.cgroup == cgroup ||
        absl::StartsWith(group.cgroup, absl::StrCat(cgroup, "/"))) {
      affected.push_back(&group);
    }
  }
  for (Group* group : affected) group->workers->BeginPlacementChange();
  absl::Status status = change();
  for (Group* group : affected) {
    if (status.ok()) {
      // One further than now: what the workers will see after the End.
      group->placements[group->workers->epoch() + 1] = Effective(group->cgroup);
    }
    group->workers->EndPlacementChange();
  }
  return status;
}

absl::Status Stage::WriteCpuset(const std::string& name,
                                const std::vector<int>& cpus) {
  return ChangePlacement(name, [&] {
    absl::Status status = context_.cgroups().SetCpuset(name, cpus);
    if (status.ok()) cpusets_[name] = cpus;
    return status;
  });
}

absl::Status Stage::SetCpuset(const std::string& name, const CpuSet& cpus) {
  ABSL_RETURN_IF_ERROR(Require(name));
  ABSL_ASSIGN_OR_RETURN(std::vector<int> resolved,
                        cpus.Resolve(context_.topology()));
  return WriteCpuset(name, resolved);
}

absl::Status Stage::ClearCpuset(const std::string& name) {
  ABSL_RETURN_IF_ERROR(Require(name));
  return ChangePlacement(name, [&] {
    absl::Status status = context_.cgroups().ClearCpuset(name);
    if (status.ok()) cpusets_.erase(name);
    return status;
  });
}

absl::Status Stage::SwapCpusets(const std::string& a, const std::string& b) {
  ABSL_RETURN_IF_ERROR(Require(a));
  ABSL_RETURN_IF_ERROR(Require(b));
  ABSL_ASSIGN_OR_RETURN(std::vector<int> of_a,
                        context_.cgroups().ReadCpuset(a));
  ABSL_ASSIGN_OR_RETURN(std::vector<int> of_b,
                        context_.cgroups().ReadCpuset(b));
  if (!of_a.empty()) ABSL_RETURN_IF_ERROR(WriteCpuset(b, of_a));
  if (!of_b.empty()) ABSL_RETURN_IF_ERROR(WriteCpuset(a, of_b));
  return absl::OkStatus();
}

absl::Status Stage::Spawn(const std::string& cgroup, const Work& work,
                          Owner owner) {
  const int workers =
      work.worker_count().value_or(context_.workers_per_cgroup());
  WorkerGroupSpec spec{
      .type = work.work_type(),
      .policy = work.sched_policy(),
      .memory = work.memory_policy(),
      .workers = workers,
      .threads = work.thread_count(),
      .seed = SeededStream(context_.seed()).Fork(++groups_spawned_),
      .is_steal_aware = context_.profile().subtracts_stolen_time};
  ABSL_RETURN_IF_ERROR(
      CheckMemoryPolicy(spec.memory, Effective(cgroup), context_.topology()));
  ABSL_ASSIGN_OR_RETURN(spec.affinities,
                        ResolveAffinity(work.cpu_affinity(), cgroup, workers));
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<WorkerGroup> group,
                        WorkerGroup::Spawn(std::move(spec)));
  // Host workers too: the test itself may sit in a cgroup of its own.
  ABSL_RETURN_IF_ERROR(context_.cgroups().MoveTasks(cgroup, group->pids()));
  groups_.push_back({.cgroup = cgroup,
                     .owner = owner,
                     .workers = std::move(group),
                     .placements = {{0, Effective(cgroup)}},
                     .throttled = -Throttled(cgroup)});
  UpdateFrozen();
  MarkPhase(groups_.back(), /*is_new=*/true);
  return groups_.back().workers->Start();
}

absl::Status Stage::Make(const Cgroup& definition, Owner owner) {
  auto work_of = [&](const Work& work) {
    return definition.is_swappable() ? context_.swapped(work) : work;
  };
  auto make = [&]() -> absl::Status {
    ABSL_RETURN_IF_ERROR(AddCgroup(definition.name(), owner));
    if (definition.cpuset()) {
      ABSL_RETURN_IF_ERROR(SetCpuset(definition.name(), *definition.cpuset()));
    }
    ABSL_RETURN_IF_ERROR(SetAttributes(definition));
    if (definition.works().empty() && definition.payloads().empty()) {
      return Spawn(definition.name(), work_of(Work{}), owner);
    }
    for (const Work& work : definition.works()) {
      ABSL_RETURN_IF_ERROR(Spawn(definition.name(), work_of(work), owner));
    }
    for (const Cgroup::Payload& payload : definition.payloads()) {
      ABSL_RETURN_IF_ERROR(RunPayload(payload.def, payload.args,
                                      definition.name(), owner,
                                      "the definition of the cgroup"));
    }
    return absl::OkStatus();
  };
  return Annotate(make(), absl::StrCat("cgroup ", definition.name()));
}

absl::Status Stage::MoveAllTasks(const std::string& from, const std::string& to,
                                 Owner owner) {
  ABSL_RETURN_IF_ERROR(Require(from));
  ABSL_RETURN_IF_ERROR(Require(to));
  const Owner target = Find(to)->owner;
  if (owner == Owner::kStep && Find(from)->owner == Owner::kBackdrop &&
      target == Owner::kStep) {
    return absl::FailedPreconditionError(absl::StrCat(
        "workers of the Backdrop cgroup \"", from, "\" cannot move into \"", to,
        "\", which ends with this step"));
  }
  if (absl::Status status = context_.cgroups().ClearSubtreeControl(to);
      !status.ok()) {
    Warn(status);
  }
  for (Group& group : groups_) {
    if (group.cgroup != from) continue;
    group.workers->BeginPlacementChange();
    absl::Status status =
        context_.cgroups().MoveTasks(to, group.workers->pids());
    if (status.ok()) {
      group.throttled += Throttled(from) - Throttled(to);
      group.cgroup = to;
      if (target == Owner::kBackdrop) group.owner = target;
      group.placements[group.workers->epoch() + 1] = Effective(to);
    }
    group.workers->EndPlacementChange();
    ABSL_RETURN_IF_ERROR(status);
  }
  UpdateFrozen();
  return absl::OkStatus();
}

PagePlacement Stage::PlacementOf(const Group& group) const {
  PagePlacement placement{.expected_nodes = ExpectedNodes(
                              group.workers->spec().memory,
                              Effective(group.cgroup), context_.topology())};
  for (const NumaNode& node : context_.topology().nodes()) {
    if (node.is_memory_only()) placement.memory_only_nodes.push_back(node.id);
  }
  return placement;
}

void Stage::CollectWhere(const std::function<bool(const Group&)>& selected) {
  ThawFor(selected);
  for (Group& group : groups_) {
    if (!selected(group)) continue;
    if (is_in_phase_) ended_.push_back(ShareOf(group));
    group.workers->RequestStop();
  }
  for (Group& group : groups_) {
    if (!selected(group)) continue;
    GroupEvidence evidence{
        .cgroup = group.cgroup,
        .work = group.workers->spec().type.name(),
        .reports = group.workers->StopAndCollect(),
        .placements = std::move(group.placements),
        .throttled = group.throttled + Throttled(group.cgroup),
        .pages = PlacementOf(group)};
    const bool has_own = step_checks_ && group.owner == Owner::kStep;
    verdict_.Merge(EvaluateGroup(
        evidence, has_own ? checks_.With(*step_checks_) : checks_,
        context_.profile(), has_own ? step_evaluated_ : evaluated_));
  }
  std::erase_if(groups_, selected);
}

void Stage::RemoveDirs(Owner owner) {
  std::vector<std::string> names;
  for (const Tracked& tracked : tracked_) {
    if (tracked.owner == owner) names.push_back(tracked.name);
  }
  // Latest first, and deeper ones before what they are in.
  std::reverse(names.begin(), names.end());
  auto depth = [](const std::string& name) {
    return std::count(name.begin(), name.end(), '/');
  };
  std::stable_sort(names.begin(), names.end(),
                   [&](const std::string& a, const std::string& b) {
                     return depth(a) > depth(b);
                   });
  for (const std::string& name : names) {
    if (absl::Status status = context_.cgroups().Remove(name); !status.ok()) {
      Warn(status);
    }
    Forget(name);
    past_.insert(name);
  }
  std::erase_if(tracked_, [&](const Tracked& t) { return t.owner == owner; });
}

void Stage::Collect(Owner owner) {
  CollectWhere([&](const Group& group) { return group.owner == owner; });
  EndPayloads([&](const Payload& payload) { return payload.owner == owner; });
  RemoveDirs(owner);
}

}  // namespace ktstr::internal
