// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/op.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ktstr {
namespace {

// "run_payload(fio, cg_0)".
std::string PayloadCall(const char* name, const Op& op) {
  return absl::StrCat(name, "(", std::string(op.payload->name),
                      op.cgroup.empty() ? "" : ", ", op.cgroup, ")");
}

}  // namespace

Op Op::add_cgroup(std::string name) {
  return {.kind = Kind::kAddCgroup, .cgroup = std::move(name)};
}

Op Op::remove_cgroup(std::string name) {
  return {.kind = Kind::kRemoveCgroup, .cgroup = std::move(name)};
}

Op Op::set_cpuset(std::string cgroup, CpuSet cpus) {
  return {.kind = Kind::kSetCpuset,
          .cgroup = std::move(cgroup),
          .cpus = std::move(cpus)};
}

Op Op::clear_cpuset(std::string cgroup) {
  return {.kind = Kind::kClearCpuset, .cgroup = std::move(cgroup)};
}

Op Op::swap_cpusets(std::string a, std::string b) {
  return {.kind = Kind::kSwapCpusets,
          .cgroup = std::move(a),
          .other = std::move(b)};
}

Op Op::spawn(std::string cgroup, Work work) {
  return {.kind = Kind::kSpawn,
          .cgroup = std::move(cgroup),
          .work = std::move(work)};
}

Op Op::stop_cgroup(std::string cgroup) {
  return {.kind = Kind::kStopCgroup, .cgroup = std::move(cgroup)};
}

Op Op::set_affinity(std::string cgroup, Affinity affinity) {
  return {.kind = Kind::kSetAffinity,
          .cgroup = std::move(cgroup),
          .affinity = std::move(affinity)};
}

Op Op::spawn_host(Work work) {
  return {.kind = Kind::kSpawnHost, .work = std::move(work)};
}

Op Op::move_all_tasks(std::string from, std::string to) {
  return {.kind = Kind::kMoveAllTasks,
          .cgroup = std::move(from),
          .other = std::move(to)};
}

Op Op::run_payload(const PayloadDef& payload, std::vector<std::string> args,
                   std::string cgroup) {
  return {.kind = Kind::kRunPayload,
          .cgroup = std::move(cgroup),
          .args = std::move(args),
          .payload = std::make_shared<const PayloadDef>(payload)};
}

Op Op::wait_payload(const PayloadDef& payload, std::string cgroup) {
  return {.kind = Kind::kWaitPayload,
          .cgroup = std::move(cgroup),
          .payload = std::make_shared<const PayloadDef>(payload)};
}

Op Op::kill_payload(const PayloadDef& payload, std::string cgroup) {
  return {.kind = Kind::kKillPayload,
          .cgroup = std::move(cgroup),
          .payload = std::make_shared<const PayloadDef>(payload)};
}

Op Op::kill_payload(const PayloadDef& payload, std::string cgroup,
                    const PayloadStop& how) {
  Op op = kill_payload(payload, std::move(cgroup));
  op.stop = how;
  return op;
}

Op Op::set_weight(std::string cgroup, int weight) {
  return {
      .kind = Kind::kSetWeight, .cgroup = std::move(cgroup), .weight = weight};
}

Op Op::set_cpu_max(std::string cgroup, CpuMax max) {
  return {
      .kind = Kind::kSetCpuMax, .cgroup = std::move(cgroup), .cpu_max = max};
}

Op Op::set_idle(std::string cgroup, bool idle) {
  return {.kind = Kind::kSetIdle, .cgroup = std::move(cgroup), .is_idle = idle};
}

Op Op::freeze(std::string cgroup) {
  return {.kind = Kind::kFreeze, .cgroup = std::move(cgroup)};
}

Op Op::thaw(std::string cgroup) {
  return {.kind = Kind::kThaw, .cgroup = std::move(cgroup)};
}

Op Op::offline_cpu(int cpu) { return {.kind = Kind::kOfflineCpu, .cpu = cpu}; }

Op Op::online_cpu(int cpu) { return {.kind = Kind::kOnlineCpu, .cpu = cpu}; }

Op Op::attach_scheduler() { return {.kind = Kind::kAttachScheduler}; }

Op Op::attach_scheduler(std::vector<std::string> args) {
  return {.kind = Kind::kAttachScheduler,
          .args = std::move(args),
          .has_args = true};
}

Op Op::detach_scheduler() { return {.kind = Kind::kDetachScheduler}; }

Op Op::replace_scheduler() { return {.kind = Kind::kReplaceScheduler}; }

Op Op::replace_scheduler(std::vector<std::string> args) {
  return {.kind = Kind::kReplaceScheduler,
          .args = std::move(args),
          .has_args = true};
}

std::string Op::ToString() const {
  switch (kind) {
    case Kind::kAddCgroup:
      return absl::StrCat("add_cgroup(", cgroup, ")");
    case Kind::kRemoveCgroup:
      return absl::StrCat("remove_cgroup(", cgroup, ")");
    case Kind::kSetCpuset:
      return absl::StrCat("set_cpuset(", cgroup, ", ", cpus->ToString(), ")");
    case Kind::kClearCpuset:
      return absl::StrCat("clear_cpuset(", cgroup, ")");
    case Kind::kSwapCpusets:
      return absl::StrCat("swap_cpusets(", cgroup, ", ", other, ")");
    case Kind::kSpawn:
      return absl::StrCat("spawn(", cgroup, ", ", work.work_type().name(), ")");
    case Kind::kStopCgroup:
      return absl::StrCat("stop_cgroup(", cgroup, ")");
    case Kind::kSetAffinity:
      return absl::StrCat("set_affinity(", cgroup, ")");
    case Kind::kSpawnHost:
      return absl::StrCat("spawn_host(", work.work_type().name(), ")");
    case Kind::kMoveAllTasks:
      return absl::StrCat("move_all_tasks(", cgroup, ", ", other, ")");
    case Kind::kRunPayload:
      return PayloadCall("run_payload", *this);
    case Kind::kWaitPayload:
      return PayloadCall("wait_payload", *this);
    case Kind::kKillPayload:
      return PayloadCall("kill_payload", *this);
    case Kind::kSetWeight:
      return absl::StrCat("set_weight(", cgroup, ", ", weight, ")");
    case Kind::kSetCpuMax:
      return absl::StrCat("set_cpu_max(", cgroup, ", ",
                          cpu_max.quota
                              ? absl::StrCat(cpu_max.quota->count(), " of ",
                                             cpu_max.period.count(), " us")
                              : "max",
                          ")");
    case Kind::kSetIdle:
      return absl::StrCat("set_idle(", cgroup, ", ", is_idle ? "on" : "off",
                          ")");
    case Kind::kFreeze:
      return absl::StrCat("freeze(", cgroup, ")");
    case Kind::kThaw:
      return absl::StrCat("thaw(", cgroup, ")");
    case Kind::kOfflineCpu:
      return absl::StrCat("offline_cpu(", cpu, ")");
    case Kind::kOnlineCpu:
      return absl::StrCat("online_cpu(", cpu, ")");
    case Kind::kAttachScheduler:
      return absl::StrCat("attach_scheduler(", absl::StrJoin(args, " "), ")");
    case Kind::kDetachScheduler:
      return "detach_scheduler()";
    case Kind::kReplaceScheduler:
      return absl::StrCat("replace_scheduler(", absl::StrJoin(args, " "), ")");
  }
  return "unknown op";
}

}  // namespace ktstr
