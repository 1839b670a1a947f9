// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/expand.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "gauntlet/filter.h"
#include "gauntlet/preset.h"
#include "gauntlet/seed.h"

namespace ktstr::gauntlet {
namespace {

constexpr int64_t kMibPerCpu = 64;
constexpr int64_t kSmallestGuestMib = 256;
constexpr absl::string_view kDefaultScheduler = "default";

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  if (name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has no name"));
  }
  if (name.find_first_of("/\\") != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " \"", name, "\" contains '/' or '\\', which names may not"));
  }
  return absl::OkStatus();
}

absl::Status CheckUniqueNames(absl::string_view what,
                              absl::Span<const std::string> names) {
  absl::flat_hash_set<absl::string_view> seen;
  for (const std::string& name : names) {
    ABSL_RETURN_IF_ERROR(CheckName(what, name));
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " \"", name, "\" is given twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const Request& request) {
  if (request.tests.empty()) {
    return absl::InvalidArgumentError("the suites hold no test");
  }
  if (request.kernels.empty()) {
    return absl::InvalidArgumentError("no kernel is given, at least one is");
  }
  std::vector<std::string> names;
  for (const TestCase& test : request.tests) names.push_back(test.name);
  ABSL_RETURN_IF_ERROR(CheckUniqueNames("test", names));
  ABSL_RETURN_IF_ERROR(CheckUniqueNames("scheduler", request.schedulers));
  ABSL_RETURN_IF_ERROR(
      CheckUniqueNames("declared scheduler", request.declared_programs));
  return CheckUniqueNames("kernel label", request.kernels);
}

// A place on which a variant runs: a preset, or a test's own topology.
struct Stage {
  std::string preset;
  Topology topology;
};

// One scheduler a test runs on, with the profiles it has there.
struct SchedulerChoice {
  std::optional<size_t> index;
  absl::string_view name;
  std::vector<Profile> profiles;
  // Why the test cannot run on it; empty when it can.
  std::string why_excluded;
  // The same, where asking for it is a mistake.
  std::string why_missing;
};

// State of one expansion.
class Expander {
 public:
  explicit Expander(const Request& request)
      : request_(request), filter_(request.filters) {}

  absl::StatusOr<Expansion> Run() {
    ABSL_RETURN_IF_ERROR(CheckRequest(request_));
    ABSL_ASSIGN_OR_RETURN(presets_, FindPresets(request_.presets));
    for (size_t test = 0; test < request_.tests.size(); ++test) {
      ABSL_RETURN_IF_ERROR(Annotate(
          ExpandTest(test), absl::StrCat("test ", request_.tests[test].name)));
    }
    ABSL_RETURN_IF_ERROR(filter_.CheckEveryPatternMatched(names_));
    if (expansion_.variants.empty()) return NothingToRun();
    return std::move(expansion_);
  }

 private:
  absl::Status ExpandTest(size_t test_index) {
    const TestCase& test = request_.tests[test_index];
    names_.push_back(test.name);
    ABSL_RETURN_IF_ERROR(CheckConstraints(test.constraints));
    ABSL_ASSIGN_OR_RETURN(std::vector<SchedulerChoice> choices,
                          SchedulersOf(test));
    if (presets_.empty()) {
      return ExpandStage(test_index, choices, {"", test.topology});
    }
    for (const Preset& preset : presets_) {
      std::string reason = WhyExcluded(test.constraints, preset.topology);
      std::string name = absl::StrCat("gauntlet/", test.name, "/", preset.name);
      if (!reason.empty()) {
        Exclude(test, name, reason);
        continue;
      }
      ABSL_RETURN_IF_ERROR(
          ExpandStage(test_index, choices, {preset.name, preset.topology}));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<SchedulerChoice>> SchedulersOf(
      const TestCase& test) {
    std::vector<SchedulerChoice> choices;
    const DeclaredScheduler* declared =
        test.scheduler.has_value() ? &*test.scheduler : nullptr;
    const bool has_program = declared != nullptr && declared->has_program;
    if (request_.schedulers.empty()) {
      choices.push_back(has_program
                            ? OwnProgram(*declared)
                            : SchedulerChoice{.name = kDefaultScheduler});
    }
    for (size_t i = 0; i < request_.schedulers.size(); ++i) {
      choices.push_back({.index = i, .name = request_.schedulers[i]});
    }
    if (has_program) {
      auto is_declared = [declared](const SchedulerChoice& choice) {
        return choice.name == declared->name;
      };
      auto own = std::find_if(choices.begin(), choices.end(), is_declared);
      if (own != choices.end()) choices = {*own};
    }
    for (SchedulerChoice& choice : choices) {
      ABSL_RETURN_IF_ERROR(FillProfiles(test, declared, choice));
    }
    return choices;
  }

  SchedulerChoice OwnProgram(const DeclaredScheduler& declared) const {
    SchedulerChoice choice = {.name = declared.name};
    const std::vector<std::string>& found = request_.declared_programs;
    auto own = std::find(found.begin(), found.end(), declared.name);
    if (own != found.end()) {
      choice.index = request_.schedulers.size() + (own - found.begin());
    } else {
      choice.why_missing = absl::StrCat(
          "declares scheduler ", declared.name,
          ", whose program the submission does not bring",
          declared.why_missing.empty()
              ? "; accepted is a scheduler of that name, or any others to run "
                "it on instead"
              : absl::StrCat(": ", declared.why_missing));
    }
    return choice;
  }

  // Flags belong to the declared scheduler: elsewhere a test runs without any.
  absl::Status FillProfiles(const TestCase& test,
                            const DeclaredScheduler* declared,
                            SchedulerChoice& choice) {
    const bool is_own =
        declared == nullptr || !choice.index.has_value() ||
        (declared->has_program && declared->name == choice.name);
    absl::Span<const Flag> flags;
    if (declared != nullptr) flags = declared->flags;
    if (presets_.empty()) {
      ABSL_ASSIGN_OR_RETURN(Profile base, BaseProfile(flags, test.flag_choice));
      choice.profiles = {std::move(base)};
    } else {
      ABSL_ASSIGN_OR_RETURN(choice.profiles,
                            AllProfiles(flags, test.flag_choice));
    }
    if (is_own) return absl::OkStatus();
    choice.profiles = {Profile{.name = "default"}};
    if (!test.flag_choice.required.empty()) {
      choice.why_excluded = absl::StrCat(
          "scheduler ", choice.name, " has no flag ",
          absl::StrJoin(test.flag_choice.required, ", "),
          ", which the test requires of its own scheduler ", declared->name);
    }
    return absl::OkStatus();
  }

  absl::Status ExpandStage(size_t test_index,
                           absl::Span<const SchedulerChoice> choices,
                           const Stage& stage) {
    const TestCase& test = request_.tests[test_index];
    for (const SchedulerChoice& choice : choices) {
      if (!choice.why_excluded.empty()) {
        Exclude(test, NameOf(test, stage, choice, choice.profiles[0], nullptr),
                choice.why_excluded);
        continue;
      }
      for (const Profile& profile : choice.profiles) {
        for (size_t kernel = 0; kernel < request_.kernels.size(); ++kernel) {
          ABSL_RETURN_IF_ERROR(
              AddVariant(test_index, stage, choice, profile, kernel));
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddVariant(size_t test_index, const Stage& stage,
                          const SchedulerChoice& choice, const Profile& profile,
                          size_t kernel) {
    const TestCase& test = request_.tests[test_index];
    const std::string name =
        NameOf(test, stage, choice, profile, &request_.kernels[kernel]);
    if (names_.size() < kMostNamesOffered) names_.push_back(name);
    for (int run = 1; run <= test.repeat; ++run) {
      const std::string run_name =
          test.repeat > 1 ? absl::StrCat(name, "#", run) : name;
      if (!filter_.Wants(test.name, name, test.is_ignored_by_default) &&
          !filter_.Wants(test.name, run_name, test.is_ignored_by_default)) {
        continue;
      }
      if (!choice.why_missing.empty()) {
        return absl::InvalidArgumentError(choice.why_missing);
      }
      ABSL_RETURN_IF_ERROR(AddRun({.name = run_name,
                                   .test = test_index,
                                   .scheduler = choice.index,
                                   .kernel = kernel,
                                   .preset = stage.preset,
                                   .topology = stage.topology,
                                   .profile = profile,
                                   .run = run}));
    }
    return absl::OkStatus();
  }

  absl::Status AddRun(Variant variant) {
    if (expansion_.variants.size() == request_.max_variants) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the run would have more than ", request_.max_variants,
          " variants; narrow it by filters, presets or excluded flags"));
    }
    variant.memory_mib = EffectiveMemoryMib(
        variant.topology, request_.tests[variant.test].memory_mib);
    variant.seed = VariantSeed(request_.seed, variant.name);
    expansion_.variants.push_back(std::move(variant));
    return absl::OkStatus();
  }

  std::string NameOf(const TestCase& test, const Stage& stage,
                     const SchedulerChoice& choice, const Profile& profile,
                     const std::string* kernel) const {
    const bool has_schedulers = request_.schedulers.size() > 1;
    std::string name;
    if (stage.preset.empty()) {
      name = absl::StrCat("ktstr/", test.name);
      if (has_schedulers) absl::StrAppend(&name, "/", choice.name);
    } else {
      name = absl::StrCat("gauntlet/", test.name, "/", stage.preset, "/");
      if (has_schedulers) absl::StrAppend(&name, choice.name, ":");
      absl::StrAppend(&name, profile.name);
    }
    if (kernel != nullptr && request_.kernels.size() > 1) {
      absl::StrAppend(&name, "/", *kernel);
    }
    return name;
  }

  void Exclude(const TestCase& test, std::string name, std::string reason) {
    if (!filter_.Wants(test.name, name, test.is_ignored_by_default)) return;
    expansion_.excluded.push_back({std::move(name), std::move(reason)});
  }

  absl::Status NothingToRun() const {
    if (expansion_.excluded.empty()) {
      return absl::InvalidArgumentError(
          "nothing to run: every test is ignored by default; name one in a "
          "filter to run it");
    }
    const Exclusion& first = expansion_.excluded.front();
    return absl::InvalidArgumentError(
        absl::StrCat("nothing to run: all ", expansion_.excluded.size(),
                     " combinations are excluded, the first is ", first.variant,
                     ": ", first.reason));
  }

  // Enough to propose close names, few enough to compare quickly.
  static constexpr size_t kMostNamesOffered = 10000;

  const Request& request_;
  Filter filter_;
  std::vector<Preset> presets_;
  std::vector<std::string> names_;
  Expansion expansion_;
};

}  // namespace

int64_t EffectiveMemoryMib(const Topology& topology, int64_t floor_mib) {
  return std::max({topology.cpus() * kMibPerCpu, kSmallestGuestMib, floor_mib});
}

absl::StatusOr<Expansion> Expand(const Request& request) {
  return Expander(request).Run();
}

}  // namespace ktstr::gauntlet
