// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/converters/submission.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "coordinator/converters/guest_files.h"
#include "coordinator/converters/scheduler.h"
#include "coordinator/placement/policy.h"
#include "model/map_write_rules.h"

namespace ktstr::coordinator {
namespace {

constexpr int kDescriptionFormat = 1;
constexpr absl::string_view kArch = "x86_64";
constexpr int kMaxWorkers = 65536;
constexpr int kMaxMemoryMib = 1 << 20;
constexpr absl::Duration kLongestTest = absl::Hours(24);
constexpr int kMaxAttempts = 100;
constexpr int kMaxRepeat = 100;
constexpr int kMaxTestFiles = 1900;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

gauntlet::Constraints ToConstraints(const v1::TestDescription& test) {
  gauntlet::Constraints constraints;
  if (!test.has_constraints()) return constraints;
  const v1::TopologyConstraints& from = test.constraints();
  auto maximum = [](bool has, int value) {
    return has ? std::optional<int>(value) : std::nullopt;
  };
  return {.min_numa_nodes = from.min_numa_nodes(),
          .max_numa_nodes =
              maximum(from.has_max_numa_nodes(), from.max_numa_nodes()),
          .min_llcs = from.min_llcs(),
          .max_llcs = maximum(from.has_max_llcs(), from.max_llcs()),
          .min_cpus = from.min_cpus(),
          .max_cpus = maximum(from.has_max_cpus(), from.max_cpus()),
          .requires_smt = from.requires_smt()};
}

absl::Status CheckTestNumbers(const v1::TestDescription& test) {
  if (test.memory_mib() < 0 || test.memory_mib() > kMaxMemoryMib) {
    return Invalid("memory_mib is ", test.memory_mib(), ", accepted are 0 to ",
                   kMaxMemoryMib);
  }
  const absl::Duration duration = FromProtoDuration(test.duration());
  if (duration <= absl::ZeroDuration() || duration > kLongestTest) {
    return Invalid("duration is ", absl::FormatDuration(duration),
                   ", accepted are above 0 to ",
                   absl::FormatDuration(kLongestTest));
  }
  if (test.workers_per_cgroup() < 1 ||
      test.workers_per_cgroup() > kMaxWorkers) {
    return Invalid("workers_per_cgroup is ", test.workers_per_cgroup(),
                   ", accepted are 1 to ", kMaxWorkers);
  }
  if (test.repeat() < 0 || test.repeat() > kMaxRepeat) {
    return Invalid("repeat is ", test.repeat(), ", accepted are 1 to ",
                   kMaxRepeat);
  }
  if (test.require() < 0 || test.require() > std::max(1, test.repeat())) {
    return Invalid("require is ", test.require(), " of ", test.repeat(),
                   " runs, accepted are 1 to that");
  }
  return absl::OkStatus();
}

absl::Status CheckMapWrites(const v1::TestDescription& test) {
  if (test.bpf_map_writes().size() > static_cast<int>(kMaxMapWrites)) {
    return Invalid(test.bpf_map_writes().size(), " bpf_map_writes, accepted ",
                   "are ", kMaxMapWrites);
  }
  for (const v1::BpfMapWrite& write : test.bpf_map_writes()) {
    const std::string which = absl::StrCat(
        "bpf_map_write \"", absl::CHexEscape(write.map_suffix()), "\"");
    if (const char* why = MapSuffixProblem(write.map_suffix())) {
      return Invalid(which, " ", why);
    }
    if (const char* why = MapOffsetProblem(write.offset())) {
      return Invalid(which, ": offset ", write.offset(), " ", why);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<gauntlet::TestCase> ToTestCase(const v1::SubmitRequest& request,
                                              const v1::SubmittedSuite& suite,
                                              const v1::TestDescription& from) {
  ABSL_RETURN_IF_ERROR(CheckTestNumbers(from));
  ABSL_RETURN_IF_ERROR(CheckMapWrites(from));
  gauntlet::TestCase test = {
      .name = from.name(),
      .constraints = ToConstraints(from),
      .memory_mib = from.memory_mib(),
      .flag_choice = {.required = {from.required_flags().begin(),
                                   from.required_flags().end()},
                      .excluded = {from.excluded_flags().begin(),
                                   from.excluded_flags().end()}},
      .is_ignored_by_default = from.ignored_by_default(),
      .repeat = std::max(1, from.repeat())};
  ABSL_ASSIGN_OR_RETURN(test.topology, Topology::Parse(from.topology()));
  if (from.has_scheduler()) {
    ABSL_RETURN_IF_ERROR(CheckDeclaredScheduler(suite, from.scheduler()));
    test.scheduler = ToDeclaredScheduler(request, from.scheduler());
  }
  return test;
}

absl::Status CheckSuite(const v1::SubmittedSuite& suite) {
  const v1::SuiteDescription& description = suite.description();
  const std::string where = absl::StrCat("suite ", description.name());
  if (description.format_version() != kDescriptionFormat) {
    return Invalid(where, " has description format ",
                   description.format_version(), ", accepted is ",
                   kDescriptionFormat, "; build it with the same release");
  }
  if (description.arch() != kArch) {
    return Invalid(where, " is compiled for \"", description.arch(),
                   "\", accepted is ", kArch);
  }
  ABSL_RETURN_IF_ERROR(CheckArtifact(suite.binary(), where));
  for (const v1::ConfigFile& file : suite.config_files()) {
    ABSL_RETURN_IF_ERROR(CheckArtifact(
        file.content(),
        absl::StrCat(where, ", config_file ", file.declared_path())));
  }
  for (const v1::TestFiles& files : suite.test_files()) {
    const std::string test = absl::StrCat(where, ", test ", files.test());
    if (files.files_size() > kMaxTestFiles) {
      return Invalid(test, " brings ", files.files_size(),
                     " files, accepted are ", kMaxTestFiles);
    }
    ABSL_RETURN_IF_ERROR(CheckGuestFiles(files.files(), test));
  }
  return CheckGuestFiles(suite.libraries(), where);
}

absl::Status CheckDimensions(const v1::SubmitRequest& request) {
  if (request.suites().empty()) return Invalid("no suite is given");
  for (const v1::SubmittedSuite& suite : request.suites()) {
    ABSL_RETURN_IF_ERROR(CheckSuite(suite));
  }
  for (const v1::KernelSpec& kernel : request.kernels()) {
    ABSL_RETURN_IF_ERROR(CheckLabel("kernel label", kernel.label()));
    const std::string where = absl::StrCat("kernel ", kernel.label());
    ABSL_RETURN_IF_ERROR(CheckArtifact(kernel.image(), where));
    ABSL_RETURN_IF_ERROR(CheckModules(kernel.modules(), where));
  }
  for (const v1::SchedulerSpec& scheduler : request.schedulers()) {
    ABSL_RETURN_IF_ERROR(CheckScheduler(scheduler));
  }
  for (const v1::SchedulerSpec& scheduler : request.declared_schedulers()) {
    ABSL_RETURN_IF_ERROR(CheckScheduler(scheduler));
    if (!scheduler.has_binary()) {
      return Invalid("declared scheduler ", scheduler.name(),
                     " has no program");
    }
  }
  for (const v1::SubmittedSuite& suite : request.suites()) {
    if (request.work_type().empty() ||
        absl::c_linear_search(suite.description().work_types(),
                              request.work_type())) {
      continue;
    }
    return Invalid("work type \"",
                   absl::CHexEscape(request.work_type().substr(0, 64)),
                   "\" is none of suite ", suite.description().name());
  }
  if (request.max_attempts() < 0 || request.max_attempts() > kMaxAttempts) {
    return Invalid("max_attempts is ", request.max_attempts(),
                   ", accepted are 1 to ", kMaxAttempts, ", or 0 for 3");
  }
  return absl::OkStatus();
}

// Where a test of the flat list comes from.
struct TestOrigin {
  const v1::SubmittedSuite* suite;
  const v1::TestDescription* test;
};

std::vector<TestOrigin> OriginsOf(const v1::SubmitRequest& request) {
  std::vector<TestOrigin> origins;
  for (const v1::SubmittedSuite& suite : request.suites()) {
    for (const v1::TestDescription& test : suite.description().tests()) {
      origins.push_back({&suite, &test});
    }
  }
  return origins;
}

// What is made of the outcome.
void FillPolicy(const v1::TestDescription& test, int run,
                v1::VariantSpec& spec) {
  if (test.has_expectation()) {
    *spec.mutable_expectation() = test.expectation();
  }
  if (test.repeat() > 1) {
    spec.mutable_repetition()->set_run(run);
    spec.mutable_repetition()->set_of(test.repeat());
    spec.mutable_repetition()->set_require(test.require() > 0 ? test.require()
                                                              : test.repeat());
  }
  if (test.has_cleanup_budget()) {
    *spec.mutable_cleanup_budget() = test.cleanup_budget();
  }
  if (test.has_quarantine()) *spec.mutable_quarantine() = test.quarantine();
}

// What the test brings along.
absl::Status FillFiles(const v1::SubmittedSuite& suite,
                       const v1::TestDescription& test, v1::VariantSpec& spec) {
  for (const v1::TestFiles& files : suite.test_files()) {
    if (files.test() != test.name()) continue;
    if (!files.missing().empty()) return Invalid(files.missing());
    *spec.mutable_include_files() = files.files();
    return absl::OkStatus();
  }
  if (test.payloads().empty() && test.extra_include_files().empty()) {
    return absl::OkStatus();
  }
  return Invalid("suite ", suite.description().name(), ", test ", test.name(),
                 ": the programs and files that it brings along are not part "
                 "of the submission");
}

}  // namespace

absl::StatusOr<gauntlet::Request> ToGauntletRequest(
    const v1::SubmitRequest& request) {
  ABSL_RETURN_IF_ERROR(CheckDimensions(request));
  gauntlet::Request to;
  for (const TestOrigin& origin : OriginsOf(request)) {
    absl::StatusOr<gauntlet::TestCase> test =
        ToTestCase(request, *origin.suite, *origin.test);
    ABSL_RETURN_IF_ERROR(
        Annotate(test.status(),
                 absl::StrCat("suite ", origin.suite->description().name(),
                              ", test ", origin.test->name())));
    to.tests.push_back(*std::move(test));
  }
  to.presets.assign(request.presets().begin(), request.presets().end());
  for (const v1::SchedulerSpec& scheduler : request.schedulers()) {
    to.schedulers.push_back(scheduler.name());
  }
  for (const v1::SchedulerSpec& scheduler : request.declared_schedulers()) {
    to.declared_programs.push_back(scheduler.name());
  }
  for (const v1::KernelSpec& kernel : request.kernels()) {
    to.kernels.push_back(kernel.label());
  }
  to.filters.assign(request.filters().begin(), request.filters().end());
  to.seed = request.seed();
  return to;
}

absl::StatusOr<std::vector<VariantDraft>> ToDrafts(
    const v1::SubmitRequest& request, const gauntlet::Expansion& expansion) {
  const std::vector<TestOrigin> origins = OriginsOf(request);
  std::vector<VariantDraft> drafts;
  drafts.reserve(expansion.variants.size());
  for (const gauntlet::Variant& variant : expansion.variants) {
    const TestOrigin& origin = origins[variant.test];
    VariantDraft& draft = drafts.emplace_back();
    draft.cpus =
        origin.test->performance_mode() ? kWholeHost : variant.topology.cpus();
    v1::VariantSpec& spec = draft.spec;
    spec.set_name(variant.name);
    spec.set_test(origin.test->name());
    spec.set_preset(variant.preset);
    spec.set_topology(variant.topology.ToString());
    spec.set_memory_mib(variant.memory_mib);
    spec.set_profile(variant.profile.name);
    spec.mutable_flags()->Assign(variant.profile.flags.begin(),
                                 variant.profile.flags.end());
    *spec.mutable_scheduler() =
        SchedulerOf(request, *origin.suite, *origin.test, variant);
    *spec.mutable_kernel() = request.kernels(variant.kernel);
    *spec.mutable_suite() = origin.suite->binary();
    *spec.mutable_duration() = origin.test->duration();
    spec.set_workers_per_cgroup(origin.test->workers_per_cgroup());
    spec.set_work_type(request.work_type());
    spec.set_seed(variant.seed);
    spec.set_performance_mode(origin.test->performance_mode());
    if (origin.test->has_machine() && variant.preset.empty()) {
      *spec.mutable_machine() = origin.test->machine();
    }
    *spec.mutable_bpf_map_writes() = origin.test->bpf_map_writes();
    FillPolicy(*origin.test, variant.run, spec);
    *spec.mutable_suite_libraries() = origin.suite->libraries();
    ABSL_RETURN_IF_ERROR(FillFiles(*origin.suite, *origin.test, spec));
    if (spec.scheduler().has_binary() && !spec.kernel().has_sched_ext()) {
      return Invalid("scheduler ", spec.scheduler().name(),
                     " needs CONFIG_SCHED_CLASS_EXT, which kernel ",
                     spec.kernel().label(),
                     " is built without; accepted is a kernel with it");
    }
  }
  return drafts;
}

std::vector<v1::ArtifactRef> ArtifactsOf(const v1::SubmitRequest& request) {
  std::vector<v1::ArtifactRef> all;
  absl::flat_hash_set<std::string> seen;
  auto add = [&](const v1::ArtifactRef& ref) {
    if (seen.insert(ref.sha256()).second) all.push_back(ref);
  };
  for (const v1::SubmittedSuite& suite : request.suites()) {
    add(suite.binary());
    for (const v1::GuestFile& file : suite.libraries()) add(file.content());
    for (const v1::ConfigFile& file : suite.config_files()) add(file.content());
    for (const v1::TestFiles& files : suite.test_files()) {
      for (const v1::GuestFile& file : files.files()) add(file.content());
    }
  }
  for (const auto* schedulers :
       {&request.schedulers(), &request.declared_schedulers()}) {
    for (const v1::SchedulerSpec& scheduler : *schedulers) {
      if (scheduler.has_binary()) add(scheduler.binary());
      for (const v1::GuestFile& file : scheduler.libraries()) {
        add(file.content());
      }
    }
  }
  for (const v1::KernelSpec& kernel : request.kernels()) {
    add(kernel.image());
    for (const v1::ArtifactRef& module : kernel.modules()) add(module);
  }
  return all;
}

}  // namespace ktstr::coordinator
