// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Declaring a test.
//
//   #include "ktstr/ktstr.h"
//
//   using namespace ktstr;
//
//   KTSTR_TEST(llc_split,
//              .topology = {.llcs = 2, .cores = 4},
//              .constraints = {.min_llcs = 2},
//              .duration = 5s,
//              .checks = {.isolation = true, .max_gap_ms = 5000}) {
//     return run_cgroups(ctx, {Cgroup{"cg_0"}.cpus(CpuSet::llc(0)),
//                              Cgroup{"cg_1"}.cpus(CpuSet::llc(1))});
//   }
//
// The body is a function of `const ktstr::Context& ctx` returning
// absl::StatusOr<ktstr::Verdict>. A returned error means that the test itself
// is broken. Options are designated initialisers of TestOptions in the order of
// its declaration; inside them std::chrono's literals are available.
#ifndef KTSTR_KTSTR_TEST_H_
#define KTSTR_KTSTR_TEST_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ktstr/checks.h"
#include "ktstr/context.h"
#include "ktstr/fixed_list.h"
#include "ktstr/scheduler.h"
#include "ktstr/verdict.h"

namespace ktstr {

// Topology of the base run. Whole guest: llcs; per LLC: cores; per core:
// threads.
struct DeclaredTopology {
  std::optional<int> numa_nodes;  // default 1
  std::optional<int> llcs;        // default 1
  std::optional<int> cores;       // default 2
  std::optional<int> threads;     // default 1
};

// Which presets the test expands over.
struct DeclaredConstraints {
  std::optional<int> min_numa_nodes;  // default 1
  std::optional<int> max_numa_nodes;  // default 1
  std::optional<int> min_llcs;        // default 1
  std::optional<int> max_llcs;        // default 12
  std::optional<int> min_cpus;        // default 1
  std::optional<int> max_cpus;        // default 192
  bool requires_smt = false;
};

struct TestOptions {
  // Unset: what the submission names, else the kernel's default.
  const SchedulerDef* scheduler = nullptr;
  DeclaredTopology topology;
  DeclaredConstraints constraints;
  // Floor of guest RAM.
  std::optional<int> memory_mib;  // default 2048
  FixedList<std::string_view, 16> required_flags;
  FixedList<std::string_view, 16> excluded_flags;
  // Scenario budget in guest time.
  std::optional<std::chrono::nanoseconds> duration;  // default 2 s
  // Of a work group that does not say.
  std::optional<int> workers_per_cgroup;  // default 2
  // The upper layer.
  Checks checks;
  // Listed, but only run when a filter names it exactly.
  bool ignored_by_default = false;
  // Dedicated hardware: vCPUs pinned to host cores of their own in a real-time
  // class, huge pages, no other guest on the host. Skipped, with the reason,
  // where a host cannot give that.
  bool performance_mode = false;
  // Behind the scheduler's own arguments, each passed on as it is.
  FixedList<std::string_view, 16> extra_sched_args;
};

namespace internal {

// What a declaration breaks, first rule first. Checked while compiling where
// the options are constants (the macro), and again when the suite lists itself.
enum class OptionsRule {
  kNone,
  kTopologyPositive,
  kLlcsPerNode,
  kMemoryPositive,
  kDurationPositive,
  kWorkersPositive,
  kConstraintMaxZero,
  kConstraintOrder,
  kScheduler,
  kExtraArgsNeedProgram,
};

constexpr bool IsPositiveIfSet(const std::optional<int>& value) {
  return !value || *value > 0;
}

constexpr bool IsOrdered(const std::optional<int>& low,
                         const std::optional<int>& high) {
  return !low || !high || *low <= *high;
}

constexpr OptionsRule FirstBrokenRule(const TestOptions& options) {
  const DeclaredTopology& t = options.topology;
  const DeclaredConstraints& c = options.constraints;
  if (!IsPositiveIfSet(t.numa_nodes) || !IsPositiveIfSet(t.llcs) ||
      !IsPositiveIfSet(t.cores) || !IsPositiveIfSet(t.threads)) {
    return OptionsRule::kTopologyPositive;
  }
  if (t.llcs.value_or(1) % t.numa_nodes.value_or(1) != 0) {
    return OptionsRule::kLlcsPerNode;
  }
  if (!IsPositiveIfSet(options.memory_mib)) return OptionsRule::kMemoryPositive;
  if (options.duration && options.duration->count() <= 0) {
    return OptionsRule::kDurationPositive;
  }
  if (!IsPositiveIfSet(options.workers_per_cgroup)) {
    return OptionsRule::kWorkersPositive;
  }
  if (!IsPositiveIfSet(c.max_numa_nodes) || !IsPositiveIfSet(c.max_llcs) ||
      !IsPositiveIfSet(c.max_cpus)) {
    return OptionsRule::kConstraintMaxZero;
  }
  if (!IsOrdered(c.min_numa_nodes, c.max_numa_nodes) ||
      !IsOrdered(c.min_llcs, c.max_llcs) ||
      !IsOrdered(c.min_cpus, c.max_cpus)) {
    return OptionsRule::kConstraintOrder;
  }
  const SchedulerDef* scheduler = options.scheduler;
  if (scheduler != nullptr && FirstSchedulerProblem(*scheduler).why) {
    return OptionsRule::kScheduler;
  }
  if (!options.extra_sched_args.empty() &&
      (scheduler == nullptr || scheduler->binary().empty())) {
    return OptionsRule::kExtraArgsNeedProgram;
  }
  return OptionsRule::kNone;
}

// The value of a declared name that must not hold path separators.
constexpr bool IsTestName(std::string_view name) {
  return !name.empty() && name.find('/') == name.npos &&
         name.find('\\') == name.npos;
}

using BodyFunction = absl::StatusOr<Verdict> (*)(const Context& ctx);

// What the catalogue (ktstr/catalog) says about a scenario it registers.
struct ScenarioNote {
  std::string_view category;
  std::string_view description;
  // Flags it is about, by the names schedulers usually have for them.
  FixedList<std::string_view, 4> required_flags;
  FixedList<std::string_view, 4> excluded_flags;
};

// One declared test; a constant in the link-time list.
struct TestEntry {
  std::string_view name;
  std::string_view file;
  int line;
  TestOptions options;
  BodyFunction body;
  const ScenarioNote* scenario = nullptr;
};

}  // namespace internal
}  // namespace ktstr

#define KTSTR_RULE_(test, rule, text)                                       \
  static_assert(::ktstr::internal::FirstBrokenRule(test##_ktstr_options) != \
                    ::ktstr::internal::OptionsRule::rule,                   \
                "KTSTR_TEST(" #test "): " text)

// Declares and registers the test `test`. No central list: every object file of
// the program contributes to the section "ktstr_tests".
#define KTSTR_TEST(test, ...)                                              \
  static ::absl::StatusOr<::ktstr::Verdict> test##_ktstr_body(             \
      const ::ktstr::Context& ctx);                                        \
  static constexpr ::ktstr::TestOptions test##_ktstr_options = [] {        \
    using namespace ::std::chrono_literals;                                \
    return ::ktstr::TestOptions{__VA_ARGS__};                              \
  }();                                                                     \
  KTSTR_RULE_(test, kTopologyPositive, "every topology axis must be > 0"); \
  KTSTR_RULE_(test, kLlcsPerNode, "llcs must be divisible by numa_nodes"); \
  KTSTR_RULE_(test, kMemoryPositive, "memory_mib must be > 0");            \
  KTSTR_RULE_(test, kDurationPositive, "duration must be > 0");            \
  KTSTR_RULE_(test, kWorkersPositive, "workers_per_cgroup must be > 0");   \
  KTSTR_RULE_(test, kConstraintMaxZero, "max_* constraints must be > 0");  \
  KTSTR_RULE_(test, kConstraintOrder, "min_* must not exceed max_*");      \
  KTSTR_RULE_(test, kScheduler,                                            \
              "a karg, sysctl, file or cgroup_parent of its scheduler is " \
              "one of those that model/scheduler_rules.h refuses");        \
  KTSTR_RULE_(test, kExtraArgsNeedProgram,                                 \
              "extra_sched_args need a scheduler that is a program");      \
  static constexpr ::ktstr::internal::TestEntry test##_ktstr_entry = {     \
      .name = #test,                                                       \
      .file = __FILE__,                                                    \
      .line = __LINE__,                                                    \
      .options = test##_ktstr_options,                                     \
      .body = &test##_ktstr_body};                                         \
  [[gnu::used,                                                             \
    gnu::section(                                                          \
        "ktstr_tests")]] static const ::ktstr::internal::TestEntry* const  \
      test##_ktstr_listed = &test##_ktstr_entry;                           \
  static ::absl::StatusOr<::ktstr::Verdict> test##_ktstr_body(             \
      [[maybe_unused]] const ::ktstr::Context& ctx)

#endif  // KTSTR_KTSTR_TEST_H_
