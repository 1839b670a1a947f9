// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The catalogue, one row a scenario, by category. Rows are constants, so that a
// suite can register them as tests (suite.cc).
#ifndef KTSTR_KTSTR_CATALOG_TABLE_H_
#define KTSTR_KTSTR_CATALOG_TABLE_H_

#include <algorithm>
#include <string_view>
#include <vector>

#include "ktstr/catalog/bodies.h"
#include "ktstr/catalog/entry.h"
#include "ktstr/catalog/scene.h"

namespace ktstr::catalog {

using Works = std::vector<Work>;

inline constexpr Entry kCurated[] = {
    {.name = "steady",
     .description = "Two cgroups side by side, nothing changes.",
     .body = &Steady},
    {.name = "steady_llc",
     .description = "Two cgroups, each on an LLC of its own.",
     .needs = {.cpus = 2, .llcs = 2},
     .body = &SteadyLlc},
    {.name = "oversubscribed",
     .description = "Two cgroups with 32 yielding workers each.",
     .body = &Oversubscribed},
    {.name = "cpuset_apply",
     .description = "Two running cgroups are confined to their halves.",
     .needs = {.cpus = 2},
     .body = &CpusetApply},
    {.name = "cpuset_clear",
     .description = "Two cgroups confined to their halves are released.",
     .needs = {.cpus = 2},
     .body = &CpusetClear},
    {.name = "cpuset_resize",
     .description = "The border between two cgroups moves from 1/2 to 1/4 to "
                    "3/4.",
     .needs = {.cpus = 5},
     .body = &CpusetResize},
    {.name = "cgroup_add",
     .description = "One or two cgroups join the two that run.",
     .needs = {.cpus = 4},
     .body = &CgroupAdd},
    {.name = "cgroup_remove",
     .description = "Half of up to four running cgroups end.",
     .needs = {.cpus = 3},
     .body = &CgroupRemove},
    {.name = "affinity_change",
     .description = "Every worker is given another random half of the CPUs, "
                    "four times.",
     .body = &AffinityChange},
    {.name = "affinity_pinned",
     .description = "Every worker of two cgroups is pinned to the same two "
                    "CPUs.",
     .body = &AffinityPinned,
     .checks = {.max_spread_pct = 75}},
    {.name = "host_contention",
     .description = "Two cgroups against a worker a CPU outside of any.",
     .body = &HostContention},
    {.name = "mixed_workloads",
     .description = "Spinning, bursty and I/O work in a cgroup each.",
     .body = &MixedWorkloads},
    {.name = "nested_steady",
     .description = "Four working cgroups, two and three levels deep.",
     .body = &NestedSteady},
    {.name = "nested_task_move",
     .description = "Workers move up, across and down the tree of cgroups.",
     .body = &NestedTaskMove},
};

inline constexpr Entry kBasic[] = {
    {.name = "cgroup_steady",
     .description = "Two cgroups on the whole machine, nothing changes."},
    {.name = "cgroup_cpuset_llc_steady",
     .description = "Two cgroups, each confined to an LLC.",
     .needs = {.cpus = 2, .llcs = 2},
     .partition = Partition::llc_aligned()},
    {.name = "cgroup_cpuset_cross_llc_steady",
     .description = "Two cgroups, one of which spans the border of two LLCs.",
     .needs = {.cpus = 2},
     .partition = Partition::split_misaligned()},
};

inline constexpr Entry kCpuset[] = {
    {.name = "cgroup_cpuset_overlap_steady",
     .description = "Three cgroups whose cpusets overlap by half.",
     .cgroups = 3,
     .partition = Partition::overlap(.5)},
    {.name = "cgroup_cpuset_apply_midrun",
     .description = "Two running cgroups are confined to their halves.",
     .needs = {.cpus = 2},
     .body = &CpusetApply},
    {.name = "cgroup_cpuset_clear_midrun",
     .description = "Two cgroups confined to their halves are released.",
     .needs = {.cpus = 2},
     .body = &CpusetClear},
    {.name = "cgroup_cpuset_resize",
     .description = "The border between two cgroups moves from 1/2 to 1/4 to "
                    "3/4.",
     .needs = {.cpus = 5},
     .body = &CpusetResize},
    {.name = "cgroup_cpuset_numa_swap",
     .description = "Two cgroups on a NUMA node each change places.",
     .needs = {.cpus = 2, .llcs = 2, .nodes = 2},
     .body = &NumaSwap},
    {.name = "cgroup_cpuset_swap_disjoint",
     .description = "Two cgroups change their halves of the machine, and back.",
     .needs = {.cpus = 8},
     .body = &SwapDisjoint},
};

inline constexpr Entry kAffinity[] = {
    {.name = "cgroup_affinity_inherit",
     .description = "Yielding workers that may run anywhere.",
     .work = [](const Context&) { return Works{Of(WorkType::mixed())}; }},
    {.name = "cgroup_affinity_random",
     .description = "Workers with a random half each of their cgroup's CPUs.",
     .needs = {.cpus = 2},
     .partition = Partition::split_half(),
     .work =
         [](const Context&) {
           return Works{Work{}.affinity(Affinity::random_subset())};
         }},
    {.name = "cgroup_affinity_spanning",
     .description = "Workers that ask for every CPU from inside half a "
                    "machine.",
     .needs = {.cpus = 2},
     .partition = Partition::split_half(),
     .work =
         [](const Context&) {
           return Works{Work{}.affinity(Affinity::cross_cgroup())};
         }},
    {.name = "cgroup_affinity_pinned",
     .description = "Every worker of a cgroup on the same CPU.",
     .needs = {.cpus = 2},
     .partition = Partition::split_half(),
     .work =
         [](const Context&) {
           return Works{Work{}.affinity(Affinity::single_cpu())};
         }},
    {.name = "cgroup_cpuset_llc_affinity",
     .description = "Cpuset and affinity both name the same LLC.",
     .required_flags = {"llc"},
     .needs = {.cpus = 2, .llcs = 2},
     .partition = Partition::llc_aligned(),
     .work =
         [](const Context&) {
           return Works{Work{}.affinity(Affinity::llc_aligned())};
         }},
    {.name = "cgroup_affinity_change",
     .description = "Every worker is given another random half of the CPUs, "
                    "four times.",
     .excluded_flags = {"reject-pin"},
     .body = &AffinityChange},
};

inline constexpr Entry kSchedClass[] = {
    {.name = "sched_batch",
     .description = "Workers of SCHED_BATCH.",
     .work =
         [](const Context&) {
           return Works{Work{}.policy(SchedPolicy::batch())};
         }},
    {.name = "sched_idle",
     .description = "Workers of SCHED_IDLE and nobody else.",
     .work =
         [](const Context&) {
           return Works{Work{}.policy(SchedPolicy::idle())};
         }},
    {.name = "sched_fifo",
     .description = "A real-time worker a cgroup, 500 ms of every 750.",
     .work =
         [](const Context&) {
           return Works{
               Of(1, Bursty(500ms, 250ms)).policy(SchedPolicy::fifo(1))};
         }},
    {.name = "sched_rr",
     .description = "Two round-robin real-time workers a cgroup, 500 ms of "
                    "every 750.",
     .work =
         [](const Context&) {
           return Works{
               Of(2, Bursty(500ms, 250ms)).policy(SchedPolicy::round_robin(1))};
         }},
    {.name = "sched_mixed",
     .description = "Normal, batch, idle and real-time workers in the same "
                    "cgroups.",
     // What is left for an idle worker is what its neighbours leave.
     .body = &SchedMixed,
     .checks = {.max_spread_pct = 100}},
    {.name = "cgroup_pipe_io",
     .description = "Pairs that talk through pipes beside spinning workers.",
     .body = &PipeIo},
};

inline constexpr Entry kDynamic[] = {
    {.name = "cgroup_add_midrun",
     .description = "One or two cgroups join the two that run.",
     .needs = {.cpus = 4},
     .body = &CgroupAdd},
    {.name = "cgroup_remove_midrun",
     .description = "Half of up to four running cgroups end.",
     .needs = {.cpus = 3},
     .body = &CgroupRemove},
    {.name = "cgroup_rapid_churn",
     .description = "Beside two that work, a cgroup is made and removed every "
                    "100 ms.",
     .body = &RapidChurn},
};

inline constexpr Entry kNested[] = {
    {.name = "nested_cgroup_steady",
     .description = "Four working cgroups, two and three levels deep.",
     .body = &NestedSteady},
    {.name = "nested_cgroup_task_move",
     .description = "Workers move up, across and down the tree of cgroups.",
     .body = &NestedTaskMove},
    {.name = "nested_cgroup_rapid_churn",
     .description = "Cgroups one and two levels down live for 50 ms.",
     .body = &NestedRapidChurn},
    {.name = "nested_cgroup_cpuset",
     .description = "Work on a quarter of the CPUs below a half of them, seen "
                    "nowhere else.",
     .needs = {.cpus = 4},
     .body = &NestedCpuset,
     .checks = {.not_starved = true, .isolation = true}},
};

inline constexpr Entry kStall[] = {
    {.name = "stall_detect",
     .description = "16 spinning workers in one cgroup: none may stop.",
     .cgroups = 1,
     .work = [](const Context&) { return Works{Spinners(16)}; }},
    {.name = "stall_recovery",
     .description = "16 spinning workers in each of two cgroups.",
     .work = [](const Context&) { return Works{Spinners(16)}; }},
};

inline constexpr Entry kStress[] = {
    {.name = "cgroup_partial_cpus_steady",
     .description = "Two cgroups, and a third of the machine belongs to "
                    "neither.",
     .needs = {.cpus = 2},
     .partition = Partition::holdback(.33)},
    {.name = "cgroup_uneven_steady",
     .description = "Three quarters of the machine against one.",
     .needs = {.cpus = 2},
     .partition = Partition::uneven(.75)},
    {.name = "cgroup_oversubscribed",
     .description = "Two cgroups with 32 yielding workers each.",
     .body = &Oversubscribed},
    {.name = "host_cgroup_contention",
     .description = "Two cgroups against a worker a CPU outside of any.",
     .body = &HostContention},
    {.name = "cgroup_per_cpu",
     .description = "A cgroup of one worker on every CPU but the last (64 at "
                    "most).",
     .needs = {.cpus = 2},
     .body = &PerCpu},
    {.name = "cgroup_dsq_contention",
     .description = "Short bursts all over the machine; workers pinned to one "
                    "CPU may not wait 1.5 s.",
     .needs = {.cpus = 4},
     .body = &DsqContention},
    {.name = "cgroup_workload_variety",
     .description = "Five cgroups that spin, burst, do I/O, mix and yield.",
     .needs = {.cpus = 6},
     .cgroups = 5,
     .work =
         [](const Context&) {
           return Works{Diverse(0), Diverse(1), Diverse(2), Diverse(3),
                        Diverse(4)};
         }},
    {.name = "cgroup_cpuset_workload_variety",
     .description = "Spinning, bursty and I/O work on a third each.",
     .needs = {.cpus = 6},
     .body = &CpusetVariety},
    {.name = "cgroup_dynamic_workload_variety",
     .description = "A bursty cgroup joins three unlike ones for a third of "
                    "the time.",
     .needs = {.cpus = 5},
     .body = &DynamicVariety},
    {.name = "cgroup_cpuset_cross_llc_race",
     .description = "Two crowded cgroups change LLCs every 200 ms.",
     .required_flags = {"llc", "rebal"},
     .needs = {.cpus = 2, .llcs = 2},
     .body = &CrossLlcRace},
    {.name = "fork_exit_churn",
     .description = "Processes come and go as fast as they can.",
     .work = [](const Context&) { return Works{Of(WorkType::fork_exit())}; }},
    {.name = "nice_sweep",
     .description = "Workers go through every nice value.",
     .work = [](const Context&) { return Works{Of(WorkType::nice_sweep())}; }},
    {.name = "affinity_churn",
     .description = "Workers pin themselves to one random CPU after another.",
     .work =
         [](const Context&) { return Works{Of(WorkType::affinity_churn())}; }},
    {.name = "policy_churn",
     .description = "Workers go through the scheduling policies.",
     .work =
         [](const Context&) { return Works{Of(WorkType::policy_churn())}; }},
    {.name = "page_fault_churn",
     .description = "Workers write to fresh pages and give them back.",
     .work =
         [](const Context&) {
           return Works{Of(WorkType::page_fault_churn())};
         }},
    {.name = "mutex_contention_light",
     .description = "Four workers a lock that is rarely held.",
     .work =
         [](const Context&) {
           return Works{Of(
               4,
               WorkType::mutex_contention(
                   {.contenders = 4, .hold_iters = 64, .work_iters = 1024}))};
         }},
    {.name = "mutex_contention_heavy",
     .description = "Eight workers a lock that is held most of the time.",
     .work =
         [](const Context&) {
           return Works{Of(8, WorkType::mutex_contention({.contenders = 8,
                                                          .hold_iters = 1024,
                                                          .work_iters = 256}))};
         }},
};

inline constexpr Entry kAdvanced[] = {
    {.name = "cgroup_exhaust_reuse",
     .description = "A cgroup a CPU (15 at most); half are removed and made "
                    "again, with work.",
     .needs = {.cpus = 3},
     .body = &ExhaustReuse},
    {.name = "cgroup_idle_overloaded",
     .description = "16 spinning workers beside one.",
     .required_flags = {"borrow"},
     .work =
         [](const Context&) {
           return Works{Spinners(16), Spinners(1)};
         }},
    {.name = "cgroup_all_loaded",
     .description = "16 spinning workers in each of two cgroups: nothing to "
                    "borrow.",
     .required_flags = {"borrow"},
     .work = [](const Context&) { return Works{Spinners(16)}; }},
    {.name = "cgroup_bursty_imbalance",
     .description = "8 spinning workers beside 4 bursty ones.",
     .required_flags = {"borrow"},
     .work =
         [](const Context&) {
           return Works{Spinners(8), Of(4, Bursty(50ms, 100ms))};
         }},
    {.name = "cgroup_cpuset_overlap_imbalance",
     .description = "Heavy, bursty and nearly idle cgroups whose cpusets "
                    "overlap.",
     .required_flags = {"borrow"},
     .cgroups = 3,
     .partition = Partition::overlap(.5),
     .work =
         [](const Context&) {
           return Works{Spinners(8), Of(1, Bursty(50ms, 100ms)), OneYielder()};
         }},
    {.name = "cgroup_cpuset_workload_imbalance",
     .description = "A half of the machine with two workers a CPU beside a "
                    "bursty half.",
     .required_flags = {"borrow"},
     .needs = {.cpus = 2},
     .partition = Partition::split_half(),
     .work =
         [](const Context& ctx) {
           return Works{Spinners(2 * (UsableCpus(ctx) / 2)),
                        Of(Bursty(50ms, 100ms))};
         }},
    {.name = "cgroup_cpuset_change_imbalance",
     .description = "A heavy cgroup is narrowed to one CPU and widened again.",
     .required_flags = {"borrow"},
     .needs = {.cpus = 4},
     .body = &ChangeImbalance},
    {.name = "cgroup_io_compute_imbalance",
     .description = "I/O work beside a spinning worker a CPU.",
     .required_flags = {"borrow"},
     .work =
         [](const Context& ctx) {
           return Works{Of(WorkType::io_sync()), Spinners(TotalCpus(ctx))};
         }},
    {.name = "cgroup_load_imbalance",
     .description = "16 spinning workers beside one that yields.",
     .required_flags = {"rebal"},
     .work =
         [](const Context&) {
           return Works{Spinners(16), OneYielder()};
         }},
    {.name = "cgroup_bursty_load_shift",
     .description = "12 workers that all sleep from time to time beside 4 that "
                    "never do.",
     .required_flags = {"rebal"},
     .work =
         [](const Context&) {
           return Works{Of(12, Bursty(200ms, 50ms)), Spinners(4)};
         }},
    {.name = "cgroup_cpuset_overlap_load_imbalance",
     .description = "16, 1 and 4 workers whose cpusets overlap.",
     .required_flags = {"rebal"},
     .cgroups = 3,
     .partition = Partition::overlap(.5),
     .work =
         [](const Context&) {
           return Works{Spinners(16), OneYielder(), Spinners(4)};
         }},
    {.name = "cgroup_cpuset_load_shift",
     .description = "16 workers on one half of the machine, then on both.",
     .required_flags = {"rebal"},
     .needs = {.cpus = 2},
     .body = &LoadShift},
    {.name = "cgroup_add_load_imbalance",
     .description = "A cgroup of 16 workers joins two that are nearly idle.",
     .required_flags = {"rebal"},
     .body = &AddLoad},
    {.name = "cgroup_load_oscillation",
     .description = "The load is in one cgroup, then in the other, four times.",
     .required_flags = {"rebal"},
     .body = &LoadOscillation},
    {.name = "cgroup_4way_load_imbalance",
     .description = "Four cgroups of 16, 1, 8 and 4 workers.",
     .required_flags = {"rebal"},
     .needs = {.cpus = 5},
     .cgroups = 4,
     .work =
         [](const Context&) {
           return Works{Spinners(16), OneYielder(), Spinners(8), Spinners(4)};
         }},
    {.name = "cgroup_llc_overflow",
     .description = "One cgroup of 8 workers: more than a small LLC has CPUs.",
     .required_flags = {"llc", "steal"},
     .cgroups = 1,
     .work = [](const Context&) { return Works{Spinners(8)}; }},
    {.name = "cgroup_imbalance_mixed_workload",
     .description = "8 spinning workers beside bursty work and I/O.",
     .required_flags = {"borrow", "rebal"},
     .cgroups = 3,
     .work =
         [](const Context&) {
           return Works{Spinners(8), Diverse(1), Diverse(2)};
         }},
    {.name = "cgroup_multicpu_pin",
     .description = "Every worker is pinned to the first two CPUs from the "
                    "start.",
     .required_flags = {"reject-pin"},
     .work =
         [](const Context& ctx) {
           return Works{Work{}.affinity(
               Affinity::exact(FirstTwo(ctx.topology().all_cpus())))};
         },
     .checks = {.max_spread_pct = 75}},
    {.name = "cgroup_no_ctrl_task_migration",
     .description = "Workers move to another cgroup and back, nine times.",
     .required_flags = {"no-ctrl"},
     .body = &TaskMigration},
    {.name = "nested_cgroup_no_ctrl",
     .description = "Work three levels down beside work two levels down.",
     .required_flags = {"no-ctrl"},
     .body = &NestedApart},
};

inline constexpr Entry kInteraction[] = {
    {.name = "cgroup_cpuset_imbalance_combined",
     .description = "A half with two workers a CPU beside two bursty ones that "
                    "sleep most of the time.",
     .required_flags = {"borrow", "rebal"},
     .needs = {.cpus = 2},
     .partition = Partition::split_half(),
     .work =
         [](const Context& ctx) {
           return Works{Spinners(2 * (UsableCpus(ctx) / 2)),
                        Of(2, Bursty(50ms, 150ms))};
         }},
    {.name = "cgroup_cpuset_overlap_imbalance_combined",
     .description = "12 spinning, 2 bursty and one yielding worker whose "
                    "cpusets overlap.",
     .required_flags = {"borrow", "rebal"},
     .cgroups = 3,
     .partition = Partition::overlap(.5),
     .work =
         [](const Context&) {
           return Works{Spinners(12), Of(2, Bursty(50ms, 100ms)), OneYielder()};
         }},
    {.name = "cgroup_no_ctrl_imbalance",
     .description = "Beside heavy and light cgroups, two workers move into an "
                    "overflow cgroup and back.",
     .required_flags = {"no-ctrl", "borrow"},
     .body = &MobileImbalance},
    {.name = "cgroup_no_ctrl_cpuset_change",
     .description = "Two cgroups change their halves half-way.",
     .required_flags = {"no-ctrl"},
     .needs = {.cpus = 2},
     .body = &CpusetSwapHalfway},
    {.name = "cgroup_no_ctrl_load_imbalance",
     .description = "16 spinning workers beside one that yields.",
     .required_flags = {"no-ctrl", "rebal"},
     .work =
         [](const Context&) {
           return Works{Spinners(16), OneYielder()};
         }},
    {.name = "cgroup_cpuset_multicpu_pin",
     .description = "Every worker is pinned to the first two CPUs of its half.",
     .required_flags = {"reject-pin"},
     .needs = {.cpus = 2},
     .partition = Partition::split_half(),
     .work =
         [](const Context& ctx) {
           Works works;
           auto halves = Partition::split_half().Resolve(ctx.topology(), 2);
           if (!halves.ok()) return works;
           for (const std::vector<int>& half : *halves) {
             works.push_back(Work{}.affinity(Affinity::exact(FirstTwo(half))));
           }
           return works;
         },
     .checks = {.max_spread_pct = 75}},
    {.name = "cgroup_cpuset_add_remove",
     .description = "A third cgroup takes the last third for a third of the "
                    "time.",
     .needs = {.cpus = 4},
     .body = &CpusetAddRemove},
    {.name = "cgroup_add_during_imbalance",
     .description = "A cgroup of 4 workers joins 8 spinning and 2 bursty ones.",
     .required_flags = {"borrow"},
     .body = &AddDuringImbalance},
    {.name = "nested_cgroup_imbalance",
     .description = "8 spinning workers beside 2 bursty ones, both two levels "
                    "down.",
     .required_flags = {"borrow"},
     .body = &NestedImbalance},
};

inline constexpr Entry kPerformance[] = {
    {.name = "cache_pressure_imbalance",
     .description = "Workers that live in their cache beside a spinning one a "
                    "CPU: even throughput.",
     .required_flags = {"borrow"},
     .work =
         [](const Context& ctx) {
           return Works{Of(WorkType::cache_pressure()),
                        Spinners(TotalCpus(ctx))};
         },
     .checks = {.max_throughput_cv = 1.0}},
    {.name = "cache_yield_wake_affine",
     .description = "Workers that fill their cache and yield, on an LLC a "
                    "cgroup: even wakeups and throughput.",
     .required_flags = {"llc"},
     .needs = {.cpus = 2, .llcs = 2},
     .partition = Partition::llc_aligned(),
     .work = [](const Context&) { return Works{Of(WorkType::cache_yield())}; },
     .checks = {.max_throughput_cv = 1.0, .max_wake_latency_cv = 50}},
    {.name = "cache_pipe_io_compute_imbalance",
     .description = "Pairs that fill their caches and talk through pipes "
                    "beside a spinning worker a CPU: even wakeups.",
     .required_flags = {"borrow"},
     .work =
         [](const Context& ctx) {
           const int pairs = (ctx.workers_per_cgroup() + 1) / 2;
           return Works{Of(2 * pairs, WorkType::cache_pipe()),
                        Spinners(TotalCpus(ctx))};
         },
     .checks = {.max_wake_latency_cv = 15}},
    {.name = "fan_out_wake",
     .description = "One worker wakes four at once beside a spinning one a "
                    "CPU: even wakeups.",
     .required_flags = {"borrow"},
     .work =
         [](const Context& ctx) {
           return Works{Of(FanOutWorkers(ctx), WorkType::futex_fan_out()),
                        Spinners(TotalCpus(ctx))};
         },
     .checks = {.max_spread_pct = 50, .max_wake_latency_cv = 10},
     // The one that wakes never waits, the others do.
     .overcommitted_spread_pct = 100},
    {.name = "fan_out_compute",
     .description = "The same with matrices to multiply after each wakeup.",
     .required_flags = {"borrow"},
     .work =
         [](const Context& ctx) {
           return Works{Of(FanOutWorkers(ctx), WorkType::fan_out_compute()),
                        Spinners(TotalCpus(ctx))};
         },
     .checks = {.max_spread_pct = 50, .max_wake_latency_cv = 10},
     .overcommitted_spread_pct = 100},
};

// A category and its rows.
struct Category {
  std::string_view name;
  const Entry* begin;
  size_t size;
};

template <size_t N>
constexpr Category MakeCategory(std::string_view name,
                                const Entry (&entries)[N]) {
  return {name, entries, N};
}

inline constexpr Category kCategories[] = {
    MakeCategory("curated", kCurated),
    MakeCategory("basic", kBasic),
    MakeCategory("cpuset", kCpuset),
    MakeCategory("affinity", kAffinity),
    MakeCategory("sched_class", kSchedClass),
    MakeCategory("dynamic", kDynamic),
    MakeCategory("nested", kNested),
    MakeCategory("stall", kStall),
    MakeCategory("stress", kStress),
    MakeCategory("advanced", kAdvanced),
    MakeCategory("interaction", kInteraction),
    MakeCategory("performance", kPerformance),
};

constexpr size_t CountEntries() {
  size_t count = 0;
  for (const Category& category : kCategories) count += category.size;
  return count;
}

}  // namespace ktstr::catalog

#endif  // KTSTR_KTSTR_CATALOG_TABLE_H_
