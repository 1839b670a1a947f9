// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/host_cpus.h"

#include <sched.h>

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

constexpr size_t kMaxFileBytes = 64 << 10;
constexpr int kMaxCacheLevels = 16;
// More than any kernel has: CONFIG_NR_CPUS ends at 8192.
constexpr int kMostCpus = 1 << 14;

absl::StatusOr<std::vector<int>> ReadList(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxFileBytes));
  absl::StatusOr<std::vector<int>> cpus =
      ParseCpuList(absl::StripAsciiWhitespace(text));
  return cpus.ok() ? cpus : Annotate(cpus.status(), path);
}

int LowestOf(const std::vector<int>& cpus, int otherwise) {
  return cpus.empty() ? otherwise : *std::min_element(cpus.begin(), cpus.end());
}

// The group behind the cache of the highest level.
int LlcOf(const std::string& cpu_dir, int cpu) {
  int best_level = 0, llc = cpu;
  for (int index = 0; index < kMaxCacheLevels; ++index) {
    const std::string dir = absl::StrCat(cpu_dir, "/cache/index", index);
    int level = 0;
    if (!absl::SimpleAtoi(ReadFile(dir + "/level", kMaxFileBytes).value_or(""),
                          &level)) {
      break;
    }
    absl::StatusOr<std::vector<int>> shared =
        ReadList(dir + "/shared_cpu_list");
    if (level <= best_level || !shared.ok()) continue;
    best_level = level;
    llc = LowestOf(*shared, cpu);
  }
  return llc;
}

absl::StatusOr<std::map<int, int>> ReadNodes(const std::string& node_dir) {
  std::map<int, int> node_of;
  absl::StatusOr<std::vector<std::string>> names = ListDir(node_dir);
  if (!names.ok()) return node_of;  // A kernel without NUMA.
  for (const std::string& name : *names) {
    absl::string_view digits = name;
    int node = 0;
    if (!absl::ConsumePrefix(&digits, "node") ||
        !absl::SimpleAtoi(digits, &node)) {
      continue;
    }
    ABSL_ASSIGN_OR_RETURN(
        std::vector<int> cpus,
        ReadList(absl::StrCat(node_dir, "/", name, "/cpulist")));
    for (int cpu : cpus) node_of[cpu] = node;
  }
  return node_of;
}

}  // namespace

absl::StatusOr<std::vector<HostCpu>> ReadHostCpus(
    const std::vector<int>& allowed, const std::string& sys) {
  const std::string system = sys + "/devices/system";
  ABSL_ASSIGN_OR_RETURN(std::vector<int> online,
                        ReadList(system + "/cpu/online"));
  ABSL_ASSIGN_OR_RETURN(auto node_of, ReadNodes(system + "/node"));
  std::vector<HostCpu> cpus;
  std::sort(online.begin(), online.end());
  for (int cpu : online) {
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end()) {
      continue;
    }
    const std::string dir = absl::StrCat(system, "/cpu/cpu", cpu);
    ABSL_ASSIGN_OR_RETURN(std::vector<int> siblings,
                          ReadList(dir + "/topology/thread_siblings_list"));
    auto node = node_of.find(cpu);
    cpus.push_back({.cpu = cpu,
                    .core = LowestOf(siblings, cpu),
                    .llc = LlcOf(dir, cpu),
                    .node = node == node_of.end() ? 0 : node->second});
  }
  if (cpus.empty()) {
    return absl::FailedPreconditionError(
        "no CPU that this process may use is online");
  }
  return cpus;
}

std::vector<int> AllowedHostCpus() {
  const size_t bytes = CPU_ALLOC_SIZE(kMostCpus);
  std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
      CPU_ALLOC(kMostCpus), [](cpu_set_t* freed) { CPU_FREE(freed); });
  CPU_ZERO_S(bytes, set.get());
  std::vector<int> cpus;
  if (sched_getaffinity(0, bytes, set.get()) != 0) return cpus;
  for (int cpu = 0; cpu < kMostCpus; ++cpu) {
    if (CPU_ISSET_S(cpu, bytes, set.get())) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace ktstr
