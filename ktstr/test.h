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
#include "ktstr/bpf_map_write.h"
#include "ktstr/checks.h"
#include "ktstr/context.h"
#include "ktstr/declared_topology.h"
#include "ktstr/expectation.h"
#include "ktstr/fixed_list.h"
#include "ktstr/payload.h"
#include "ktstr/quarantine.h"
#include "ktstr/scheduler.h"
#include "ktstr/verdict.h"

namespace ktstr {

struct TestOptions {
  // Unset: what the submission names, else the kernel's default.
  const SchedulerDef* scheduler = nullptr;
  DeclaredTopology topology;
  // The base run's nodes one by one; they say how many nodes and LLCs and how
  // much memory there is. `distances`: row by row, 10 from a node to itself, 11
  // to 254 to others, symmetric; empty: 20.
  FixedList<NodeDef, 8> nodes;
  FixedList<int, 64> distances;
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
  // To fail, and how: expect(FindingKind::kStuck). Unset: to pass.
  Expectation expect;
  // Runs of each variant, 1 to 100, each with a seed and a result of its own,
  // and how many of them must pass.
  std::optional<int> repeat;   // default 1
  std::optional<int> require;  // default all
  // Empty: its failures count.
  Quarantine quarantine;
  // Listed, but only run when a filter names it exactly.
  bool ignored_by_default = false;
  // Dedicated hardware: vCPUs pinned to host cores of their own in a real-time
  // class, huge pages, no other guest on the host. Skipped, with the reason,
  // where a host cannot give that.
  bool performance_mode = false;
  // In how much host time a guest that is done must be gone: process, memory,
  // sockets and files. A guest that gave a verdict and takes longer fails.
  std::optional<std::chrono::nanoseconds> cleanup_budget;
  // Behind the scheduler's own arguments, each passed on as it is.
  FixedList<std::string_view, 16> extra_sched_args;
  // The external program it is about, and others that it runs: constants, by
  // address. They and what they need are found where the run is submitted, and
  // are in the guest.
  const PayloadDef* payload = nullptr;
  FixedList<const PayloadDef*, 8> workloads;
  // More to bring along, as PayloadDef::include_files.
  FixedList<std::string_view, 16> extra_include_files;
  // What is other in the scheduler's BPF maps than it has made it, from before
  // the body on. A scheduler that the body attaches is as it makes itself.
  FixedList<BpfMapWrite, kMaxMapWrites> bpf_map_write;
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
  kCleanupPositive,
  kConstraintMaxZero,
  kNumaOrder,
  kLlcOrder,
  kCpuOrder,
  kExpectable,
  kExitNeedsProgram,
  kRepeatRange,
  kRequireRange,
  kQuarantine,
  kScheduler,
  kExtraArgsNeedProgram,
  kPayload,
  kPayloadNames,
  kMapWrite,
  kMapWriteNeedsProgram,
};

inline constexpr int kMaxRepeat = 100;

constexpr bool IsPositiveIfSet(const std::optional<int>& value) {
  return !value || *value > 0;
}

// With what the scheduler declares and the defaults below.
constexpr DeclaredTopology TopologyOf(const TestOptions& options) {
  DeclaredTopology topology = options.topology;
  if (!options.nodes.empty()) {
    DeclaredTopology listed{.numa_nodes = 0, .llcs = 0};
    for (const NodeDef& node : options.nodes) {
      *listed.numa_nodes += node.llcs > 0 ? 1 : 0;
      *listed.llcs += node.llcs;
    }
    topology = topology.Or(listed);
  }
  if (options.scheduler != nullptr) {
    topology = topology.Or(options.scheduler->topology());
  }
  return topology.Or(DeclaredTopology::Defaults());
}

constexpr DeclaredConstraints ConstraintsOf(const TestOptions& options) {
  DeclaredConstraints constraints = options.constraints;
  if (options.scheduler != nullptr) {
    constraints = constraints.Or(options.scheduler->constraints());
  }
  return constraints.Or(DeclaredConstraints::Defaults());
}

constexpr bool HasProgram(const TestOptions& options) {
  return options.scheduler != nullptr && !options.scheduler->binary().empty();
}

// Of what is made of the outcome.
constexpr OptionsRule FirstBrokenPolicy(const TestOptions& options) {
  const Expectation& expected = options.expect;
  if (!AreExpectable(expected.findings()) ||
      !AreExpectable(expected.tolerated())) {
    return OptionsRule::kExpectable;
  }
  if (expected.scheduler_exit() && options.scheduler != nullptr &&
      !HasProgram(options)) {
    return OptionsRule::kExitNeedsProgram;
  }
  const int repeat = options.repeat.value_or(1);
  if (repeat < 1 || repeat > kMaxRepeat) return OptionsRule::kRepeatRange;
  const int require = options.require.value_or(repeat);
  if (require < 1 || require > repeat) return OptionsRule::kRequireRange;
  const Quarantine& quarantine = options.quarantine;
  if (quarantine.is_set() &&
      (quarantine.reason.empty() || !IsDay(quarantine.until))) {
    return OptionsRule::kQuarantine;
  }
  return OptionsRule::kNone;
}

// Of the programs it brings along.
constexpr OptionsRule FirstBrokenPayload(const TestOptions& options) {
  FixedList<const PayloadDef*, 9> all;
  if (options.payload != nullptr) all.Append(options.payload);
  for (const PayloadDef* payload : options.workloads) all.Append(payload);
  for (const PayloadDef* payload : all) {
    if (payload == nullptr || PayloadProblem(*payload) != nullptr) {
      return OptionsRule::kPayload;
    }
    for (const PayloadDef* other : all) {
      if (other != nullptr && other != payload &&
          other->name == payload->name) {
        return OptionsRule::kPayloadNames;
      }
    }
  }
  return OptionsRule::kNone;
}

// Of what is written into its scheduler. Whether one that is named later, by
// the submission, is a program shows in the guest.
constexpr OptionsRule FirstBrokenMapWrite(const TestOptions& options) {
  for (const BpfMapWrite& write : options.bpf_map_write) {
    if (!IsMapWrite(write)) return OptionsRule::kMapWrite;
  }
  if (!options.bpf_map_write.empty() && options.scheduler != nullptr &&
      !HasProgram(options)) {
    return OptionsRule::kMapWriteNeedsProgram;
  }
  return OptionsRule::kNone;
}

constexpr OptionsRule FirstBrokenRule(const TestOptions& options) {
  const DeclaredTopology t = TopologyOf(options);
  const DeclaredConstraints c = ConstraintsOf(options);
  if (!IsPositiveIfSet(t.numa_nodes) || !IsPositiveIfSet(t.llcs) ||
      !IsPositiveIfSet(t.cores) || !IsPositiveIfSet(t.threads)) {
    return OptionsRule::kTopologyPositive;
  }
  if (*t.llcs % *t.numa_nodes != 0) return OptionsRule::kLlcsPerNode;
  if (!IsPositiveIfSet(options.memory_mib)) return OptionsRule::kMemoryPositive;
  if (options.duration && options.duration->count() <= 0) {
    return OptionsRule::kDurationPositive;
  }
  if (!IsPositiveIfSet(options.workers_per_cgroup)) {
    return OptionsRule::kWorkersPositive;
  }
  if (options.cleanup_budget && options.cleanup_budget->count() <= 0) {
    return OptionsRule::kCleanupPositive;
  }
  if (!IsPositiveIfSet(c.max_numa_nodes) || !IsPositiveIfSet(c.max_llcs) ||
      !IsPositiveIfSet(c.max_cpus)) {
    return OptionsRule::kConstraintMaxZero;
  }
  if (*c.min_numa_nodes > *c.max_numa_nodes) return OptionsRule::kNumaOrder;
  if (*c.min_llcs > *c.max_llcs) return OptionsRule::kLlcOrder;
  if (*c.min_cpus > *c.max_cpus) return OptionsRule::kCpuOrder;
  const SchedulerDef* scheduler = options.scheduler;
  if (scheduler != nullptr && FirstSchedulerProblem(*scheduler).why) {
    return OptionsRule::kScheduler;
  }
  if (!options.extra_sched_args.empty() && !HasProgram(options)) {
    return OptionsRule::kExtraArgsNeedProgram;
  }
  const OptionsRule payload = FirstBrokenPayload(options);
  if (payload != OptionsRule::kNone) return payload;
  const OptionsRule map_write = FirstBrokenMapWrite(options);
  if (map_write != OptionsRule::kNone) return map_write;
  return FirstBrokenPolicy(options);
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
#define KTSTR_TEST(test, ...)                                               \
  static ::absl::StatusOr<::ktstr::Verdict> test##_ktstr_body(              \
      const ::ktstr::Context& ctx);                                         \
  static constexpr ::ktstr::TestOptions test##_ktstr_options = [] {         \
    using namespace ::std::chrono_literals;                                 \
    return ::ktstr::TestOptions{__VA_ARGS__};                               \
  }();                                                                      \
  KTSTR_RULE_(test, kTopologyPositive, "every topology axis must be > 0");  \
  KTSTR_RULE_(test, kLlcsPerNode, "llcs must be divisible by numa_nodes");  \
  KTSTR_RULE_(test, kMemoryPositive, "memory_mib must be > 0");             \
  KTSTR_RULE_(test, kDurationPositive, "duration must be > 0");             \
  KTSTR_RULE_(test, kWorkersPositive, "workers_per_cgroup must be > 0");    \
  KTSTR_RULE_(test, kCleanupPositive, "cleanup_budget must be > 0");        \
  KTSTR_RULE_(test, kConstraintMaxZero, "max_* constraints must be > 0");   \
  KTSTR_RULE_(test, kNumaOrder,                                             \
              "min_numa_nodes must not exceed max_numa_nodes (default 1)"); \
  KTSTR_RULE_(test, kLlcOrder,                                              \
              "min_llcs must not exceed max_llcs (default 12)");            \
  KTSTR_RULE_(test, kCpuOrder,                                              \
              "min_cpus must not exceed max_cpus (default 192)");           \
  KTSTR_RULE_(test, kExpectable,                                            \
              "expect takes no kUnspecified, kTestBodyError or "            \
              "kNotEvaluated: a broken test is never what was meant");      \
  KTSTR_RULE_(test, kExitNeedsProgram,                                      \
              "expect_scheduler_exit needs a scheduler that is a program"); \
  KTSTR_RULE_(test, kRepeatRange, "repeat must be 1 to 100");               \
  KTSTR_RULE_(test, kRequireRange, "require must be 1 to repeat");          \
  KTSTR_RULE_(test, kQuarantine,                                            \
              "quarantine needs a reason and a last day \"YYYY-MM-DD\"");   \
  KTSTR_RULE_(test, kScheduler,                                             \
              "a karg, sysctl, file or cgroup_parent of its scheduler is "  \
              "one of those that model/scheduler_rules.h refuses");         \
  KTSTR_RULE_(test, kExtraArgsNeedProgram,                                  \
              "extra_sched_args need a scheduler that is a program");       \
  KTSTR_RULE_(test, kPayload,                                               \
              "a payload of it breaks a rule of ktstr/payload.h");          \
  KTSTR_RULE_(test, kPayloadNames, "two payloads of it have one name");     \
  KTSTR_RULE_(test, kMapWrite,                                              \
              "bpf_map_write takes the end of a map's name, 1 to 15 "       \
              "letters, digits, '_' and '.', and multiples of 4");          \
  KTSTR_RULE_(test, kMapWriteNeedsProgram,                                  \
              "bpf_map_write needs a scheduler that is a program");         \
  static constexpr ::ktstr::internal::TestEntry test##_ktstr_entry = {      \
      .name = #test,                                                        \
      .file = __FILE__,                                                     \
      .line = __LINE__,                                                     \
      .options = test##_ktstr_options,                                      \
      .body = &test##_ktstr_body};                                          \
  [[gnu::used,                                                              \
    gnu::section(                                                           \
        "ktstr_tests")]] static const ::ktstr::internal::TestEntry* const   \
      test##_ktstr_listed = &test##_ktstr_entry;                            \
  static ::absl::StatusOr<::ktstr::Verdict> test##_ktstr_body(              \
      [[maybe_unused]] const ::ktstr::Context& ctx)

#endif  // KTSTR_KTSTR_TEST_H_
