// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a Stage does with external programs.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "ktstr/internal/payload_log.h"
#include "ktstr/internal/stage.h"

namespace ktstr::internal {
namespace {

std::string Where(const std::string& cgroup) {
  return cgroup.empty() ? std::string("outside of the test's cgroups")
                        : absl::StrCat("in cgroup \"", cgroup, "\"");
}

}  // namespace

absl::Status CheckPayloadOp(const Op& op) {
  if (op.kind != Op::Kind::kRunPayload && op.kind != Op::Kind::kWaitPayload &&
      op.kind != Op::Kind::kKillPayload) {
    return absl::OkStatus();
  }
  PayloadPlan plan(op.payload);
  for (const std::string& arg : op.args) plan.AddArg(arg);
  return Annotate(CheckPlan(plan), op.ToString());
}

absl::Status Stage::RunPayload(std::shared_ptr<const PayloadDef> def,
                               const std::vector<std::string>& args,
                               const std::string& cgroup, Owner owner,
                               const char* starter) {
  PayloadPlan plan(std::move(def));
  for (const std::string& arg : args) plan.AddArg(arg);
  plan.cgroup = cgroup;
  ABSL_RETURN_IF_ERROR(CheckPlan(plan));
  if (!cgroup.empty()) ABSL_RETURN_IF_ERROR(Require(cgroup));
  for (const Payload& payload : payloads_) {
    if (payload.plan.name() != plan.name() || payload.plan.cgroup != cgroup) {
      continue;
    }
    return absl::AlreadyExistsError(
        absl::StrCat("payload \"", plan.name(), "\" runs ", Where(cgroup),
                     " already; ", payload.starter, " started it"));
  }
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<PayloadProcess> process,
                        PayloadProcess::Start(plan, context_));
  past_payloads_.erase({plan.name(), cgroup});
  payloads_.push_back({std::move(plan), owner, starter, std::move(process)});
  return absl::OkStatus();
}

absl::StatusOr<size_t> Stage::FindPayload(const Op& op) const {
  const std::string name(op.payload->name);
  std::vector<size_t> found;
  std::vector<std::string> places;
  for (size_t i = 0; i < payloads_.size(); ++i) {
    const PayloadPlan& plan = payloads_[i].plan;
    if (plan.name() != name) continue;
    if (!op.cgroup.empty() && plan.cgroup != op.cgroup) continue;
    found.push_back(i);
    places.push_back(Where(plan.cgroup));
  }
  if (found.size() == 1) return found[0];
  if (found.size() > 1) {
    std::sort(places.begin(), places.end());
    return absl::FailedPreconditionError(
        absl::StrCat("payload \"", name, "\" runs ",
                     absl::StrJoin(places, " and "), "; say which is meant"));
  }
  const bool is_past = std::any_of(
      past_payloads_.begin(), past_payloads_.end(), [&](const auto& past) {
        return past.first == name &&
               (op.cgroup.empty() || past.second == op.cgroup);
      });
  const std::string where =
      op.cgroup.empty() ? "" : absl::StrCat(" ", Where(op.cgroup));
  return absl::NotFoundError(absl::StrCat(
      "payload \"", name, "\" does not run", where,
      is_past ? "; it was waited for, killed or ended with its step before"
              : ""));
}

absl::Status Stage::WaitPayload(const Op& op) {
  ABSL_ASSIGN_OR_RETURN(size_t index, FindPayload(op));
  if (!watch_.AwaitReadable(payloads_[index].process->pidfd())) {
    return absl::AbortedError(
        "the scheduler process died before the payload ended");
  }
  Payload payload = std::move(payloads_[index]);
  payloads_.erase(payloads_.begin() + static_cast<std::ptrdiff_t>(index));
  ConcludePayload(std::move(payload));
  return absl::OkStatus();
}

absl::Status Stage::KillPayload(const Op& op) {
  ABSL_ASSIGN_OR_RETURN(size_t index, FindPayload(op));
  const PayloadProcess* meant = payloads_[index].process.get();
  ThawAround({payloads_[index].plan.cgroup});
  // EndPayloads() does not stop it a second time.
  if (op.stop) payloads_[index].process->RequestStop(*op.stop);
  EndPayloads(
      [&](const Payload& payload) { return payload.process.get() == meant; });
  return absl::OkStatus();
}

void Stage::ConcludePayload(Payload payload) {
  PayloadResult result = Conclude(payload.plan, payload.process->Finish());
  past_payloads_.insert({payload.plan.name(), payload.plan.cgroup});
  if (PayloadLog* log = context_.parts().payloads) {
    log->AddMetrics(payload.plan, result);
  }
  for (Finding& finding : result.findings) {
    if (payload.owner == Owner::kStep) {
      finding.message = absl::StrCat(where_, ": ", finding.message);
    }
    verdict_.Add(std::move(finding));
  }
}

void Stage::EndPayloads(const std::function<bool(const Payload&)>& selected) {
  std::vector<Payload> ending;
  std::set<std::string> cgroups;
  for (auto it = payloads_.begin(); it != payloads_.end();) {
    if (!selected(*it)) {
      ++it;
      continue;
    }
    cgroups.insert(it->plan.cgroup);
    ending.push_back(std::move(*it));
    it = payloads_.erase(it);
  }
  ThawAround(cgroups);
  for (Payload& payload : ending) {
    payload.process->RequestStop(payload.plan.def->stop);
  }
  for (Payload& payload : ending) {
    payload.process->AwaitEnd(payload.process->stop_deadline());
    ConcludePayload(std::move(payload));
  }
}

}  // namespace ktstr::internal
