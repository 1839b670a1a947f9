// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/run_summary.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/report.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;

json TextOrNull(const std::string& text) {
  return text.empty() ? json() : json(text);
}

json Milliseconds(bool is_known, const google::protobuf::Duration& duration) {
  if (!is_known) return nullptr;
  return std::round(duration.seconds() * 1e6 + duration.nanos() / 1e3) / 1e3;
}

std::string StateName(const v1::Variant& variant) {
  return absl::StrCat(v1::VariantState_Name(variant.state()));
}

json VariantJson(const v1::Variant& variant) {
  const v1::VariantSpec& spec = variant.spec();
  const v1::AttemptResult& result = variant.result();
  bool is_done = variant.state() == v1::DONE;
  return {
      {"index", variant.index()},
      {"variant", spec.name()},
      {"test_name", spec.test()},
      {"preset", TextOrNull(spec.preset())},
      {"topology", spec.topology()},
      {"scheduler", spec.scheduler().name()},
      {"kernel", TextOrNull(spec.kernel().label())},
      {"state", StateName(variant)},
      {"outcome",
       is_done ? json(results::OutcomeName(result.outcome())) : json()},
      {"reason", TextOrNull(is_done ? results::ReasonOf(variant) : "")},
      {"wall_time_ms",
       Milliseconds(result.has_wall_time(), result.wall_time())},
      {"host_id", TextOrNull(variant.host_id())},
      {"attempt_epoch", variant.epoch()},
      {"missed", std::vector<std::string>(variant.missed().begin(),
                                          variant.missed().end())},
  };
}

json CountsJson(const v1::RunCounts& counts) {
  return {{"total", counts.total()},        {"pending", counts.pending()},
          {"leased", counts.leased()},      {"passed", counts.passed()},
          {"failed", counts.failed()},      {"errors", counts.errors()},
          {"missed", counts.missed()},      {"skipped", counts.skipped()},
          {"cancelled", counts.cancelled()}};
}

std::string Dump(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string RunSummaryJson(const v1::Run& run,
                           const std::vector<const v1::Variant*>& variants,
                           const std::string& result_directory, int exit_code) {
  json out = {{"run_id", run.run_id()},
              {"is_finished", run.is_finished()},
              {"is_cancelled", run.is_cancelled()},
              {"seed", absl::StrCat(run.seed())},
              {"counts", CountsJson(run.counts())}};
  if (exit_code >= 0) out["exit_code"] = exit_code;
  if (!result_directory.empty()) out["result_directory"] = result_directory;
  out["excluded"] = json::array();
  for (const v1::Exclusion& exclusion : run.excluded()) {
    out["excluded"].push_back(
        {{"variant", exclusion.variant()}, {"reason", exclusion.reason()}});
  }
  out["variants"] = json::array();
  for (const v1::Variant* variant : variants) {
    out["variants"].push_back(VariantJson(*variant));
  }
  return Dump(out);
}

std::string HostsJson(const v1::ListHostsResponse& hosts) {
  json out = json::array();
  for (const v1::Host& host : hosts.hosts()) {
    out.push_back(
        {{"host_id", host.host_id()},
         {"cpu_model", TextOrNull(host.context().cpu_model())},
         {"kernel_release", TextOrNull(host.context().kernel_release())},
         {"host_class", TextOrNull(host.context().host_class())},
         {"memory_mib", host.context().memory_mib()},
         {"cpus", host.cpus()},
         {"cpus_in_use", host.cpus_in_use()},
         {"is_alive", host.is_alive()},
         {"since_last_seen_ms",
          Milliseconds(host.has_since_last_seen(), host.since_last_seen())},
         {"unusable_reason", TextOrNull(host.unusable_reason())}});
  }
  return Dump(out);
}

}  // namespace ktstr::ktstrctl
