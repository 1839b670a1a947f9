// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/listing.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ktstr/internal/registry.h"
#include "ktstr/work_type.h"
#include "model/machine_topology.h"
#include "model/topology.h"
#include "proto/suite.pb.h"

namespace ktstr::internal {
namespace {

constexpr int kFormatVersion = 1;

#if defined(__x86_64__)
constexpr char kArch[] = "x86_64";
#elif defined(__aarch64__)
constexpr char kArch[] = "aarch64";
#endif

template <typename List>
void Copy(const List& from,
          google::protobuf::RepeatedPtrField<std::string>* to) {
  for (std::string_view item : from) to->Add(std::string(item));
}

void Describe(const DeclaredConstraints& from, v1::TopologyConstraints* to) {
  to->set_min_numa_nodes(*from.min_numa_nodes);
  to->set_max_numa_nodes(*from.max_numa_nodes);
  to->set_min_llcs(*from.min_llcs);
  to->set_max_llcs(*from.max_llcs);
  to->set_min_cpus(*from.min_cpus);
  to->set_max_cpus(*from.max_cpus);
  to->set_requires_smt(*from.requires_smt);
}

static_assert(int{v1::EXIT_ERROR_STALL} ==
              static_cast<int>(SchedulerExit::kStall));
static_assert(int{v1::EXIT_ERROR_BPF} ==
              static_cast<int>(SchedulerExit::kErrorBpf));
static_assert(int{v1::EXIT_ERROR} == static_cast<int>(SchedulerExit::kError));
static_assert(int{v1::EXIT_SYSRQ} == static_cast<int>(SchedulerExit::kSysRq));
static_assert(int{v1::EXIT_UNREGISTERED_BY_KERNEL} ==
              static_cast<int>(SchedulerExit::kUnregisteredByKernel));
static_assert(int{v1::EXIT_UNREGISTERED_BY_BPF} ==
              static_cast<int>(SchedulerExit::kUnregisteredByBpf));
static_assert(int{v1::EXIT_UNREGISTERED_BY_USER} ==
              static_cast<int>(SchedulerExit::kUnregisteredByUser));

void Describe(const Expectation& from, v1::Expectation* to) {
  for (FindingKind kind : from.findings()) {
    to->add_findings(static_cast<v1::FindingKind>(kind));
  }
  for (FindingKind kind : from.tolerated()) {
    to->add_also(static_cast<v1::FindingKind>(kind));
  }
  if (from.scheduler_exit()) {
    to->set_scheduler_exit(
        static_cast<v1::SchedulerExitKind>(*from.scheduler_exit()));
  }
}

template <typename List>
void CopyWrites(const List& from,
                google::protobuf::RepeatedPtrField<v1::FileWrite>* to) {
  for (const KernelSetting& setting : from) {
    v1::FileWrite* write = to->Add();
    write->set_path(std::string(setting.where));
    write->set_value(std::string(setting.value));
  }
}

void DescribeSetup(const SchedulerDef& from, v1::SchedulerSetup* to) {
  Copy(from.kargs(), to->mutable_kargs());
  for (const KernelSetting& setting : from.sysctls()) {
    v1::Sysctl* sysctl = to->add_sysctls();
    sysctl->set_key(std::string(setting.where));
    sysctl->set_value(std::string(setting.value));
  }
  to->set_cgroup_parent(std::string(from.cgroup_parent().value_or("")));
  if (from.watchdog_timeout()) {
    const int64_t ms = from.watchdog_timeout()->count();
    to->mutable_watchdog_timeout()->set_seconds(ms / 1000);
    to->mutable_watchdog_timeout()->set_nanos(
        static_cast<int32_t>(ms % 1000 * 1'000'000));
  }
  CopyWrites(from.enable_writes(), to->mutable_enable());
  CopyWrites(from.disable_writes(), to->mutable_disable());
}

void Describe(const SchedulerDef& from, v1::SchedulerDescription* to) {
  to->set_name(std::string(from.name()));
  to->set_binary(std::string(from.binary()));
  Copy(from.args(), to->mutable_args());
  for (const SchedulerFlag& flag : from.flags()) {
    v1::SchedulerFlag* described = to->add_flags();
    described->set_name(std::string(flag.name));
    Copy(flag.args, described->mutable_args());
    Copy(flag.requires_flags, described->mutable_requires_flags());
  }
  DescribeSetup(from, to->mutable_setup());
  to->set_config_file(std::string(from.config_file().value_or("")));
}

void Describe(const ScenarioNote& from, v1::ScenarioNote* to) {
  to->set_category(std::string(from.category));
  to->set_description(std::string(from.description));
  Copy(from.required_flags, to->mutable_required_flags());
  Copy(from.excluded_flags, to->mutable_excluded_flags());
}

void Describe(const PayloadDef& from, v1::PayloadDescription* to) {
  to->set_name(std::string(from.name));
  to->set_binary(std::string(from.program_name()));
  Copy(from.include_files, to->mutable_include_files());
}

// `nodes` as they are, and as the machine's own rules judge them.
absl::Status DescribeMachine(const TestOptions& options,
                             const Topology& topology,
                             v1::TestDescription* to) {
  MachineDetails details;
  int64_t memory_mib = 0;
  for (const NodeDef& node : options.nodes) {
    DeclaredNode& declared = details.nodes.emplace_back();
    declared.llcs = node.llcs;
    declared.memory_mib = node.memory_mib;
    if (node.latency_ns != 0) declared.latency_ns = node.latency_ns;
    if (node.bandwidth_mbps != 0) declared.bandwidth_mbps = node.bandwidth_mbps;
    if (node.memory_side_cache_mib != 0) {
      declared.memory_side_cache =
          MemorySideCache{.size_mib = node.memory_side_cache_mib};
    }
    memory_mib += node.memory_mib;
    v1::MachineNode* described = to->mutable_machine()->add_nodes();
    described->set_llcs(node.llcs);
    described->set_memory_mib(node.memory_mib);
    described->set_latency_ns(node.latency_ns);
    described->set_bandwidth_mbps(node.bandwidth_mbps);
    described->set_memory_side_cache_mib(node.memory_side_cache_mib);
  }
  const size_t count = options.nodes.size();
  if (!options.distances.empty() && options.distances.size() != count * count) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.distances.size(), " distances of ", count,
                     " nodes; accepted are none or ", count * count));
  }
  for (size_t i = 0; i < options.distances.size(); ++i) {
    if (i % count == 0) details.distances.emplace_back();
    details.distances.back().push_back(options.distances[i]);
    to->mutable_machine()->add_distances(options.distances[i]);
  }
  if (options.performance_mode) {
    return absl::InvalidArgumentError(
        "nodes are for machines without performance_mode");
  }
  // What a guest of so many CPUs has at least; it would not fit the nodes.
  const int64_t least = std::max<int64_t>(
      {256, int64_t{64} * topology.cpus(), options.memory_mib.value_or(0)});
  if (memory_mib < least) {
    return absl::InvalidArgumentError(absl::StrCat(
        "its nodes have ", memory_mib, " MiB, needed are ", least));
  }
  to->set_memory_mib(static_cast<int32_t>(memory_mib));
  return MachineTopology::Create(topology, memory_mib, details).status();
}

void SetDuration(std::chrono::nanoseconds from,
                 google::protobuf::Duration* to) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  to->set_seconds(from.count() / kNsPerSecond);
  to->set_nanos(static_cast<int32_t>(from.count() % kNsPerSecond));
}

absl::Status Describe(const TestEntry& from, v1::TestDescription* to) {
  const TestOptions& options = from.options;
  to->set_name(std::string(from.name));
  to->set_source_file(std::string(from.file));
  to->set_source_line(from.line);
  const DeclaredTopology declared = TopologyOf(options);
  absl::StatusOr<Topology> topology = Topology::Create(
      *declared.numa_nodes, *declared.llcs, *declared.cores, *declared.threads);
  if (!topology.ok()) {
    return Annotate(topology.status(), absl::StrCat("test ", to->name()));
  }
  to->set_topology(topology->ToString());
  Describe(ConstraintsOf(options), to->mutable_constraints());
  to->set_memory_mib(options.memory_mib.value_or(2048));
  if (!options.nodes.empty()) {
    ABSL_RETURN_IF_ERROR(Annotate(DescribeMachine(options, *topology, to),
                                  absl::StrCat("test ", to->name())));
  }
  SetDuration(DurationOf(options), to->mutable_duration());
  if (options.cleanup_budget) {
    SetDuration(*options.cleanup_budget, to->mutable_cleanup_budget());
  }
  to->set_workers_per_cgroup(WorkersOf(options));
  Copy(options.required_flags, to->mutable_required_flags());
  Copy(options.excluded_flags, to->mutable_excluded_flags());
  if (options.scheduler != nullptr) {
    Describe(*options.scheduler, to->mutable_scheduler());
  }
  to->set_ignored_by_default(options.ignored_by_default);
  to->set_performance_mode(options.performance_mode);
  Copy(options.extra_sched_args, to->mutable_extra_scheduler_args());
  if (options.payload != nullptr) {
    Describe(*options.payload, to->add_payloads());
  }
  for (const PayloadDef* payload : options.workloads) {
    Describe(*payload, to->add_payloads());
  }
  Copy(options.extra_include_files, to->mutable_extra_include_files());
  for (const BpfMapWrite& write : options.bpf_map_write) {
    v1::BpfMapWrite* described = to->add_bpf_map_writes();
    described->set_map_suffix(std::string(write.map));
    described->set_offset(write.offset);
    described->set_value(write.value);
  }
  if (from.scenario != nullptr) {
    Describe(*from.scenario, to->mutable_scenario());
  }
  if (!options.expect.is_to_pass()) {
    Describe(options.expect, to->mutable_expectation());
  }
  to->set_repeat(options.repeat.value_or(1));
  to->set_require(options.require.value_or(to->repeat()));
  const Quarantine& quarantine = options.quarantine;
  if (quarantine.is_set()) {
    to->mutable_quarantine()->set_reason(std::string(quarantine.reason));
    to->mutable_quarantine()->set_until(std::string(quarantine.until));
  }
  return absl::OkStatus();
}

}  // namespace

std::chrono::nanoseconds DurationOf(const TestOptions& options) {
  return options.duration.value_or(std::chrono::seconds(2));
}

int WorkersOf(const TestOptions& options) {
  return options.workers_per_cgroup.value_or(2);
}

absl::StatusOr<std::string> DescribeSuite(
    const std::string& suite_name, absl::Span<const TestEntry* const> tests) {
  ABSL_RETURN_IF_ERROR(CheckTests(tests));
  std::vector<const TestEntry*> sorted(tests.begin(), tests.end());
  std::sort(
      sorted.begin(), sorted.end(),
      [](const TestEntry* a, const TestEntry* b) { return a->name < b->name; });
  v1::SuiteDescription suite;
  suite.set_format_version(kFormatVersion);
  suite.set_name(suite_name);
  suite.set_arch(kArch);
  for (std::string& name : WorkType::Names()) {
    suite.add_work_types(std::move(name));
  }
  for (const TestEntry* test : sorted) {
    ABSL_RETURN_IF_ERROR(Describe(*test, suite.add_tests()));
  }
  return suite.SerializeAsString();
}

}  // namespace ktstr::internal
