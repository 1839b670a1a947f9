// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/registry.h"

#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

// Ends of the section KTSTR_TEST fills, made by the linker; absent in a program
// without tests.
extern "C" {
extern const ktstr::internal::TestEntry* const __start_ktstr_tests[]
    __attribute__((weak, visibility("hidden")));
extern const ktstr::internal::TestEntry* const __stop_ktstr_tests[]
    __attribute__((weak, visibility("hidden")));
}

namespace ktstr::internal {
namespace {

// string_view of the standard library, for a StrCat that predates it.
absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

const char* RuleText(OptionsRule rule) {
  switch (rule) {
    case OptionsRule::kNone:
      return "";
    case OptionsRule::kTopologyPositive:
      return "every topology axis must be > 0";
    case OptionsRule::kLlcsPerNode:
      return "llcs must be divisible by numa_nodes";
    case OptionsRule::kMemoryPositive:
      return "memory_mib must be > 0";
    case OptionsRule::kDurationPositive:
      return "duration must be > 0";
    case OptionsRule::kWorkersPositive:
      return "workers_per_cgroup must be > 0";
    case OptionsRule::kCleanupPositive:
      return "cleanup_budget must be > 0";
    case OptionsRule::kConstraintMaxZero:
      return "max_* constraints must be > 0";
    case OptionsRule::kNumaOrder:
      return "min_numa_nodes must not exceed max_numa_nodes (default 1)";
    case OptionsRule::kLlcOrder:
      return "min_llcs must not exceed max_llcs (default 12)";
    case OptionsRule::kCpuOrder:
      return "min_cpus must not exceed max_cpus (default 192)";
    case OptionsRule::kExpectable:
      return "expect takes no kUnspecified, kTestBodyError or kNotEvaluated";
    case OptionsRule::kExitNeedsProgram:
      return "expect_scheduler_exit needs a scheduler that is a program";
    case OptionsRule::kRepeatRange:
      return "repeat must be 1 to 100";
    case OptionsRule::kRequireRange:
      return "require must be 1 to repeat";
    case OptionsRule::kQuarantine:
      return "quarantine needs a reason and a last day \"YYYY-MM-DD\"";
    case OptionsRule::kScheduler:
      return "its scheduler asks for what a guest may not have";
    case OptionsRule::kExtraArgsNeedProgram:
      return "extra_sched_args need a scheduler that is a program";
    case OptionsRule::kPayload:
      return "a payload of it breaks a rule of ktstr/payload.h";
    case OptionsRule::kPayloadNames:
      return "two payloads of it have one name";
    case OptionsRule::kMapWrite:
      return "a bpf_map_write of it breaks a rule of model/map_write_rules.h";
    case OptionsRule::kMapWriteNeedsProgram:
      return "bpf_map_write needs a scheduler that is a program";
  }
  return "unknown rule";
}

absl::Status Invalid(const TestEntry& test, absl::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat(View(test.file), ":", test.line, ": test ", View(test.name),
                   ": ", reason));
}

// By name, where the compiler could only say which rule.
absl::Status CheckScheduler(const TestEntry& test) {
  if (test.options.scheduler == nullptr) return absl::OkStatus();
  const SchedulerDef& scheduler = *test.options.scheduler;
  SchedulerProblem problem = FirstSchedulerProblem(scheduler);
  if (problem.why != nullptr) {
    return Invalid(test, absl::StrCat("scheduler ", View(scheduler.name()),
                                      ": ", View(problem.what), " \"",
                                      absl::CHexEscape(View(problem.value)),
                                      "\" ", problem.why));
  }
  for (const SchedulerFlag& flag : scheduler.flags()) {
    if (scheduler.FindFlag(flag.name) != &flag) {
      return Invalid(
          test, absl::StrCat("scheduler ", View(scheduler.name()), ": flag \"",
                             View(flag.name), "\" is declared twice"));
    }
    for (std::string_view needed : flag.requires_flags) {
      if (scheduler.FindFlag(needed) != nullptr) continue;
      return Invalid(
          test, absl::StrCat("scheduler ", View(scheduler.name()), ": flag \"",
                             View(flag.name), "\" requires \"", View(needed),
                             "\", which it does not declare"));
    }
  }
  return absl::OkStatus();
}

// By name, as CheckScheduler.
absl::Status CheckPayloads(const TestEntry& test) {
  auto check = [&](const PayloadDef* payload) -> absl::Status {
    if (payload == nullptr) return absl::OkStatus();
    const char* problem = PayloadProblem(*payload);
    if (problem == nullptr) return absl::OkStatus();
    return Invalid(
        test, absl::StrCat("payload \"", absl::CHexEscape(View(payload->name)),
                           "\" ", problem));
  };
  ABSL_RETURN_IF_ERROR(check(test.options.payload));
  for (const PayloadDef* payload : test.options.workloads) {
    ABSL_RETURN_IF_ERROR(check(payload));
  }
  return absl::OkStatus();
}

// By name, as CheckScheduler.
absl::Status CheckMapWrites(const TestEntry& test) {
  for (const BpfMapWrite& write : test.options.bpf_map_write) {
    const std::string which = absl::StrCat(
        "bpf_map_write \"", absl::CHexEscape(View(write.map)), "\"");
    if (const char* why = MapSuffixProblem(write.map)) {
      return Invalid(test, absl::StrCat(which, " ", why));
    }
    if (const char* why = MapOffsetProblem(write.offset)) {
      return Invalid(test,
                     absl::StrCat(which, ": offset ", write.offset, " ", why));
    }
  }
  return absl::OkStatus();
}

std::string FlagNames(const SchedulerDef* scheduler) {
  std::string names;
  if (scheduler == nullptr) return "none";
  for (const SchedulerFlag& flag : scheduler->flags()) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", View(flag.name));
  }
  return names.empty() ? "none" : names;
}

absl::Status CheckFlags(const TestEntry& test) {
  const TestOptions& options = test.options;
  auto check_known = [&](std::string_view flag) -> absl::Status {
    if (options.scheduler != nullptr && options.scheduler->FindFlag(flag)) {
      return absl::OkStatus();
    }
    return Invalid(test, absl::StrCat("flag \"", View(flag),
                                      "\" is not one of the scheduler's: ",
                                      FlagNames(options.scheduler)));
  };
  for (std::string_view flag : options.required_flags) {
    ABSL_RETURN_IF_ERROR(check_known(flag));
    if (options.excluded_flags.Contains(flag)) {
      return Invalid(test, absl::StrCat("flag \"", View(flag),
                                        "\" is both required and excluded"));
    }
    // A requirement that is excluded would leave no profile to run.
    for (std::string_view needed :
         options.scheduler->FindFlag(flag)->requires_flags) {
      if (options.excluded_flags.Contains(needed)) {
        return Invalid(
            test, absl::StrCat("required flag \"", View(flag), "\" needs \"",
                               View(needed), "\", which is excluded"));
      }
    }
  }
  for (std::string_view flag : options.excluded_flags) {
    ABSL_RETURN_IF_ERROR(check_known(flag));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const TestEntry* const> LinkedTests() {
  if (__start_ktstr_tests == nullptr) return {};
  return {__start_ktstr_tests,
          static_cast<size_t>(__stop_ktstr_tests - __start_ktstr_tests)};
}

const TestEntry* FindTest(absl::Span<const TestEntry* const> tests,
                          std::string_view name) {
  for (const TestEntry* test : tests) {
    if (test->name == name) return test;
  }
  return nullptr;
}

absl::Status CheckTests(absl::Span<const TestEntry* const> tests) {
  std::set<std::string_view> names;
  for (const TestEntry* test : tests) {
    if (!IsTestName(test->name)) {
      return Invalid(*test, "a name is not empty and has no '/' and '\\'");
    }
    if (!names.insert(test->name).second) {
      return Invalid(*test, "another test of the suite has the same name");
    }
    ABSL_RETURN_IF_ERROR(CheckScheduler(*test));
    ABSL_RETURN_IF_ERROR(CheckPayloads(*test));
    ABSL_RETURN_IF_ERROR(CheckMapWrites(*test));
    OptionsRule rule = FirstBrokenRule(test->options);
    if (rule != OptionsRule::kNone) return Invalid(*test, RuleText(rule));
    ABSL_RETURN_IF_ERROR(CheckFlags(*test));
  }
  return absl::OkStatus();
}

}  // namespace ktstr::internal
