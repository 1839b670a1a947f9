// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Every work type at once, a cgroup each, and whether what its workers say of
// themselves is what the kernel says of them.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "ktstr/internal/worker_group.h"
#include "ktstr/ktstr.h"
#include "tests/guest/kernel_account.h"

namespace {

using namespace ktstr;
using namespace std::chrono_literals;
using internal::WorkerGroup;
using internal::WorkerGroupSpec;

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(400);
// Twice the burst that is the longest unit of any type: 60 workers on a slow
// host do not all get that much.
constexpr uint64_t kEnoughForAUnitNs = 100'000'000;

// A group of workers, and what the kernel said of each before and after.
struct Running {
  std::string cgroup;
  absl::Duration spawned;  // when
  std::unique_ptr<WorkerGroup> workers;
  std::vector<KernelAccount> before;
  std::vector<KernelAccount> after;
  // CPU time when each was looked at last, and the time before the look that
  // saw it grow last.
  std::vector<uint64_t> cpu_ns;
  std::vector<absl::Duration> idle_since;
};

constexpr char kRtApp[] = R"({"tasks": {"periodic": {"phases": {
    "light": {"loop": 5, "run": 500, "timer": {"ref": "t", "period": 5000}},
    "heavy": {"loop": 2, "run": 3000, "sleep": 2000}}}}})";

// One group of every type, and what a type can be combined with.
std::vector<WorkerGroupSpec> Everything() {
  std::vector<WorkerGroupSpec> specs;
  for (const std::string& name : WorkType::Names()) {
    specs.push_back({.type = *WorkType::ByName(name)});
  }
  specs.push_back(
      {.type = WorkType::sequence({Phase::spin(5ms), Phase::sleep(5ms),
                                   Phase::yield(2ms), Phase::io(2ms)})});
  specs.push_back({.type = *WorkType::from_rt_app(kRtApp)});
  specs.push_back({.type = WorkType::bursty({.burst = 2ms, .sleep = 8ms}),
                   .policy = SchedPolicy::deadline(4ms, 10ms, 10ms)});
  specs.push_back({.type = WorkType::mixed(), .threads = 3});
  specs.push_back({.type = WorkType::cache_pressure({.size_kb = 512}),
                   .memory = MemPolicy::interleave({0})});
  return specs;
}

absl::StatusOr<std::vector<KernelAccount>> Look(const WorkerGroup& workers) {
  std::vector<KernelAccount> accounts;
  for (pid_t pid : workers.pids()) {
    ABSL_ASSIGN_OR_RETURN(KernelAccount account, ReadKernelAccount(pid));
    accounts.push_back(account);
  }
  return accounts;
}

// Notes who has run since the last time, which was at `before`.
absl::Status SeeWhoRan(Running& running, absl::Duration before) {
  const std::vector<pid_t>& pids = running.workers->pids();
  for (size_t i = 0; i < pids.size(); ++i) {
    ABSL_ASSIGN_OR_RETURN(uint64_t cpu_ns, ReadCpuNs(pids[i]));
    if (cpu_ns == running.cpu_ns[i]) continue;
    running.cpu_ns[i] = cpu_ns;
    running.idle_since[i] = before;
  }
  return absl::OkStatus();
}

absl::StatusOr<Running> Prepare(const Context& ctx, WorkerGroupSpec spec,
                                int number) {
  Running running{.cgroup = absl::StrCat(spec.type.name(), "_", number),
                  .spawned = RealClock().Monotonic()};
  spec.workers = spec.type.group_size();
  spec.seed = ctx.seed() + number;
  ABSL_ASSIGN_OR_RETURN(running.workers, WorkerGroup::Spawn(std::move(spec)));
  ABSL_RETURN_IF_ERROR(ctx.cgroups().Create(running.cgroup).status());
  ABSL_RETURN_IF_ERROR(
      ctx.cgroups().MoveTasks(running.cgroup, running.workers->pids()));
  running.cpu_ns.resize(running.workers->pids().size());
  running.idle_since.resize(running.workers->pids().size());
  return running;
}

// Adds a finding for each number that does not agree.
void Judge(const Running& running, absl::Duration start, absl::Duration looked,
           absl::Duration collected, const std::vector<WorkerReport>& reports,
           Verdict& verdict) {
  const WorkerGroupSpec& spec = running.workers->spec();
  auto thread_time = [&](absl::Duration time) {
    return static_cast<uint64_t>(absl::ToInt64Nanoseconds(time * spec.threads));
  };
  for (size_t i = 0; i < reports.size(); ++i) {
    auto add = [&](const std::string& what) {
      verdict.Add({.message = absl::StrCat("worker ", i, ": ", what),
                   .cgroup = running.cgroup});
    };
    const WorkerReport& report = reports[i];
    if (!report.completed) add(report.exit.ToString());
    if (!report.setup_error.empty()) add(report.setup_error);
    const uint64_t cpu_ns =
        running.after[i].exec_ns - running.before[i].exec_ns;
    if (report.work_units == 0 && cpu_ns > kEnoughForAUnitNs) {
      add("no unit of work");
    }
    if (report.numa_pages.empty()) add("no page on any node");
    if (!report.completed) continue;
    const absl::Duration idle_since = std::max(start, running.idle_since[i]);
    const Observation seen{
        .before = running.before[i],
        .after = running.after[i],
        .observed_ns = thread_time(looked - start),
        .collected_ns = thread_time(collected),
        .pending_before_ns = thread_time(start - running.spawned),
        .pending_ns = thread_time(spec.threads > 1 ? looked - start
                                                   : looked - idle_since)};
    for (const std::string& sentence : Disagreements(spec.type, report, seen)) {
      add(sentence);
    }
  }
}

KTSTR_TEST(agree_with_the_kernel, .topology = {.llcs = 2, .cores = 2},
           .duration = 2s) {
  std::vector<Running> all;
  for (WorkerGroupSpec& spec : Everything()) {
    ABSL_ASSIGN_OR_RETURN(Running running,
                          Prepare(ctx, std::move(spec), all.size()));
    all.push_back(std::move(running));
  }
  const absl::Duration start = RealClock().Monotonic();
  for (Running& running : all) {
    ABSL_ASSIGN_OR_RETURN(running.before, Look(*running.workers));
  }
  for (Running& running : all) {
    ABSL_RETURN_IF_ERROR(running.workers->Start());
  }
  const absl::Duration end = start + absl::FromChrono(ctx.duration());
  absl::Duration looked = start;
  while (looked < end) {
    absl::SleepFor(std::min(kBetweenLooks, end - looked));
    const absl::Duration before = looked;
    looked = RealClock().Monotonic();
    for (Running& running : all) {
      ABSL_RETURN_IF_ERROR(SeeWhoRan(running, before));
    }
  }
  looked = RealClock().Monotonic();
  for (Running& running : all) {
    ABSL_ASSIGN_OR_RETURN(running.after, Look(*running.workers));
  }
  for (Running& running : all) running.workers->RequestStop();
  std::vector<std::vector<WorkerReport>> reports;
  for (Running& running : all) {
    reports.push_back(running.workers->StopAndCollect());
  }
  const absl::Duration collected = RealClock().Monotonic() - looked;
  Verdict verdict = pass();
  int idle = 0;
  int workers = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    for (const WorkerReport& report : reports[i]) {
      ++workers;
      idle += report.work_units == 0 ? 1 : 0;
    }
    Judge(all[i], start, looked, collected, reports[i], verdict);
  }
  if (idle > workers / 4) {
    verdict.Merge(fail(
        absl::StrCat(idle, " of ", workers, " workers did no unit of work")));
  }
  return verdict;
}

}  // namespace
