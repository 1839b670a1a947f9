// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/frames.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "ktstr/op.h"
#include "proto/outcome.pb.h"
#include "proto/test_frame.pb.h"

namespace ktstr::internal {
namespace {

constexpr size_t kMaxMessageBytes = 4096;

// One numbering for author library and wire.
static_assert(int{v1::STARVED} == static_cast<int>(FindingKind::kStarved));
static_assert(int{v1::STUCK} == static_cast<int>(FindingKind::kStuck));
static_assert(int{v1::UNFAIR} == static_cast<int>(FindingKind::kUnfair));
static_assert(int{v1::ISOLATION} == static_cast<int>(FindingKind::kIsolation));
static_assert(int{v1::BENCHMARK} == static_cast<int>(FindingKind::kBenchmark));
static_assert(int{v1::MIGRATION} == static_cast<int>(FindingKind::kMigration));
static_assert(int{v1::PAGE_LOCALITY} ==
              static_cast<int>(FindingKind::kPageLocality));
static_assert(int{v1::CROSS_NODE_MIGRATION} ==
              static_cast<int>(FindingKind::kCrossNodeMigration));
static_assert(int{v1::SLOW_TIER} == static_cast<int>(FindingKind::kSlowTier));
static_assert(int{v1::SCHEDULER_DIED} ==
              static_cast<int>(FindingKind::kSchedulerDied));
static_assert(int{v1::TEST_BODY_ERROR} ==
              static_cast<int>(FindingKind::kTestBodyError));
static_assert(int{v1::NOT_EVALUATED} ==
              static_cast<int>(FindingKind::kNotEvaluated));
static_assert(int{v1::OTHER} == static_cast<int>(FindingKind::kOther));
static_assert(int{v1::SCHEDULER_NOT_ATTACHED} ==
              static_cast<int>(FindingKind::kSchedulerNotAttached));
static_assert(int{v1::KERNEL_PANIC} ==
              static_cast<int>(FindingKind::kKernelPanic));
static_assert(int{v1::GUEST_HUNG} == static_cast<int>(FindingKind::kGuestHung));
static_assert(int{v1::SCHEDULER_STALLED} ==
              static_cast<int>(FindingKind::kSchedulerStalled));
static_assert(int{v1::SCHEDULER_EJECTED} ==
              static_cast<int>(FindingKind::kSchedulerEjected));

// One numbering of actions, too: number n on the wire is bit n - 1.
constexpr bool IsOp(v1::OpKind wire, Op::Kind kind) {
  return int{wire} == static_cast<int>(kind) + 1;
}
static_assert(IsOp(v1::ADD_CGROUP, Op::Kind::kAddCgroup));
static_assert(IsOp(v1::REMOVE_CGROUP, Op::Kind::kRemoveCgroup));
static_assert(IsOp(v1::SET_CPUSET, Op::Kind::kSetCpuset));
static_assert(IsOp(v1::CLEAR_CPUSET, Op::Kind::kClearCpuset));
static_assert(IsOp(v1::SWAP_CPUSETS, Op::Kind::kSwapCpusets));
static_assert(IsOp(v1::SPAWN, Op::Kind::kSpawn));
static_assert(IsOp(v1::STOP_CGROUP, Op::Kind::kStopCgroup));
static_assert(IsOp(v1::SET_AFFINITY, Op::Kind::kSetAffinity));
static_assert(IsOp(v1::SPAWN_HOST, Op::Kind::kSpawnHost));
static_assert(IsOp(v1::MOVE_ALL_TASKS, Op::Kind::kMoveAllTasks));
static_assert(IsOp(v1::RUN_PAYLOAD, Op::Kind::kRunPayload));
static_assert(IsOp(v1::WAIT_PAYLOAD, Op::Kind::kWaitPayload));
static_assert(IsOp(v1::KILL_PAYLOAD, Op::Kind::kKillPayload));
static_assert(IsOp(v1::SET_WEIGHT, Op::Kind::kSetWeight));
static_assert(IsOp(v1::SET_CPU_MAX, Op::Kind::kSetCpuMax));
static_assert(IsOp(v1::SET_IDLE, Op::Kind::kSetIdle));
static_assert(IsOp(v1::FREEZE, Op::Kind::kFreeze));
static_assert(IsOp(v1::THAW, Op::Kind::kThaw));
static_assert(IsOp(v1::OFFLINE_CPU, Op::Kind::kOfflineCpu));
static_assert(IsOp(v1::ONLINE_CPU, Op::Kind::kOnlineCpu));
static_assert(IsOp(v1::ATTACH_SCHEDULER, Op::Kind::kAttachScheduler));
static_assert(IsOp(v1::DETACH_SCHEDULER, Op::Kind::kDetachScheduler));
static_assert(IsOp(v1::REPLACE_SCHEDULER, Op::Kind::kReplaceScheduler));

static_assert(int{v1::HIGHER_BETTER} ==
              static_cast<int>(Polarity::Kind::kHigherBetter));
static_assert(int{v1::LOWER_BETTER} ==
              static_cast<int>(Polarity::Kind::kLowerBetter));
static_assert(int{v1::TARGET_VALUE} ==
              static_cast<int>(Polarity::Kind::kTarget));

// Length of the UTF-8 character at the front of `text`; 0 when there is none.
size_t CharacterSize(absl::string_view text) {
  const uint8_t first = static_cast<uint8_t>(text.front());
  const size_t size = first < 0x80           ? 1
                      : (first >> 5) == 0x06 ? 2
                      : (first >> 4) == 0x0e ? 3
                      : (first >> 3) == 0x1e ? 4
                                             : 0;
  if (size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return size;
}

// At most `limit` bytes of `text`, no character cut, '?' for what is no UTF-8:
// a proto string of anything else would not be read on the other side.
std::string Clip(absl::string_view text, size_t limit) {
  std::string clean;
  while (!text.empty()) {
    size_t size = CharacterSize(text);
    if (clean.size() + std::max<size_t>(size, 1) > limit) break;
    absl::StrAppend(&clean, size > 0 ? text.substr(0, size) : "?");
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return clean;
}

std::string Frame(const v1::TestFrame& frame) {
  std::string body = frame.SerializeAsString();
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>(body.size() >> shift));
  }
  return bytes + body;
}

void Convert(const Finding& from, v1::Finding* to) {
  to->set_kind(static_cast<v1::FindingKind>(from.kind));
  to->set_message(Clip(from.message, kMaxMessageBytes));
  to->set_cgroup(Clip(from.cgroup, kMaxMessageBytes));
}

void Convert(const GroupStats& from, v1::GroupStats* to) {
  to->set_cgroup(Clip(from.cgroup, kMaxMessageBytes));
  to->set_work(Clip(from.work, kMaxMessageBytes));
  to->set_workers(from.workers);
  to->set_cpus(from.cpus);
  to->set_migrations(from.migrations);
  to->set_iterations(from.iterations);
  to->set_work_units(from.work_units);
  auto set = [&](const std::optional<double>& value, auto setter) {
    if (value) (to->*setter)(*value);
  };
  using G = v1::GroupStats;
  set(from.avg_off_cpu_pct, &G::set_avg_off_cpu_pct);
  set(from.min_off_cpu_pct, &G::set_min_off_cpu_pct);
  set(from.max_off_cpu_pct, &G::set_max_off_cpu_pct);
  set(from.spread_pct, &G::set_spread_pct);
  set(from.max_gap_ms, &G::set_max_gap_ms);
  if (from.max_gap_cpu) to->set_max_gap_cpu(*from.max_gap_cpu);
  set(from.p99_wake_latency_us, &G::set_p99_wake_latency_us);
  set(from.median_wake_latency_us, &G::set_median_wake_latency_us);
  set(from.wake_latency_cv, &G::set_wake_latency_cv);
  set(from.mean_run_delay_us, &G::set_mean_run_delay_us);
  set(from.worst_run_delay_us, &G::set_worst_run_delay_us);
  set(from.migration_ratio, &G::set_migration_ratio);
  set(from.page_locality, &G::set_page_locality);
  set(from.cross_node_migration_ratio, &G::set_cross_node_migration_ratio);
  set(from.frozen_ms, &G::set_frozen_ms);
  set(from.throttled_ms, &G::set_throttled_ms);
}

v1::TestFrame Convert(const Verdict& verdict, size_t max_groups,
                      size_t max_findings) {
  v1::TestFrame frame;
  v1::Verdict* to = frame.mutable_verdict();
  to->set_passed(verdict.passed);
  to->set_skipped(verdict.skipped);
  to->set_skip_reason(Clip(verdict.skip_reason, kMaxMessageBytes));
  size_t findings = std::min(max_findings, verdict.findings.size());
  size_t groups = std::min(max_groups, verdict.groups.size());
  for (size_t i = 0; i < findings; ++i) {
    Convert(verdict.findings[i], to->add_findings());
  }
  for (size_t i = 0; i < groups; ++i) {
    Convert(verdict.groups[i], to->add_groups());
  }
  for (const Measurement& measurement : verdict.measurements) {
    v1::Measurement& sent = *to->add_measurements();
    sent.set_name(Clip(measurement.name, kMaxMessageBytes));
    sent.set_value(measurement.value);
    sent.set_unit(Clip(measurement.unit, kMaxMessageBytes));
    sent.set_polarity(static_cast<v1::Polarity>(measurement.polarity.kind));
    if (measurement.polarity.kind == Polarity::Kind::kTarget) {
      sent.set_target(measurement.polarity.target_value);
    }
  }
  if (findings < verdict.findings.size() || groups < verdict.groups.size()) {
    // A verdict that passed stays without findings.
    if (verdict.passed) return frame;
    Convert(
        {.kind = FindingKind::kOther,
         .message = absl::StrCat(
             verdict.findings.size() - findings, " findings and ",
             verdict.groups.size() - groups, " work groups are left out here")},
        to->add_findings());
  }
  return frame;
}

}  // namespace

std::string EncodeStarted() {
  v1::TestFrame frame;
  frame.set_started(true);
  return Frame(frame);
}

std::string EncodeStimulus(const StimulusRecord& record) {
  v1::TestFrame frame;
  v1::Stimulus* stimulus = frame.mutable_stimulus();
  int64_t ns = record.elapsed.count();
  stimulus->mutable_elapsed()->set_seconds(ns / 1'000'000'000);
  stimulus->mutable_elapsed()->set_nanos(
      static_cast<int32_t>(ns % 1'000'000'000));
  stimulus->set_step(record.step);
  stimulus->set_op_kinds(record.op_kinds);
  stimulus->set_ops(record.ops);
  stimulus->set_cgroups(record.cgroups);
  stimulus->set_workers(record.workers);
  stimulus->set_total_iterations(record.total_iterations);
  stimulus->set_ended_iterations(record.ended_iterations);
  stimulus->set_is_end(record.is_end);
  stimulus->set_label(Clip(record.label, kMaxMessageBytes));
  return Frame(frame);
}

std::string EncodeVerdict(const Verdict& verdict) {
  size_t groups = verdict.groups.size();
  size_t findings = verdict.findings.size();
  std::string bytes = Frame(Convert(verdict, groups, findings));
  while (bytes.size() > kMaxFrameBytes) {
    (groups > 0 ? groups : findings) /= 2;
    bytes = Frame(Convert(verdict, groups, findings));
  }
  return bytes;
}

}  // namespace ktstr::internal
