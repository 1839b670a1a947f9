// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/performance_spec.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/json_fields.h"
#include "nlohmann/json.hpp"

namespace ktstr {
namespace {

using ::nlohmann::json;

constexpr char kKey[] = "performance";
constexpr size_t kMostItems = 1024;
constexpr int64_t kMostCpu = 1 << 20;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("performance mode: ", what));
}

absl::StatusOr<std::vector<int>> ReadNumbers(const std::string& key,
                                             const json& value) {
  if (!value.is_array() || value.size() > kMostItems) {
    return BadKey(key,
                  absl::StrCat("an array of at most ", kMostItems, " numbers"));
  }
  std::vector<int> numbers;
  for (const json& item : value) {
    ABSL_ASSIGN_OR_RETURN(int number, IntegerIn(key, item, 0, kMostCpu));
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

absl::Status CheckPerformanceSpec(const PerformanceSpec& spec, int vcpus,
                                  int nodes) {
  if (spec.vcpu_cpus.size() != size_t(vcpus)) {
    return Bad(absl::StrCat(spec.vcpu_cpus.size(), " host CPUs for ", vcpus,
                            " vCPUs; one for each is accepted"));
  }
  std::set<int> seen = {spec.service_cpu};
  for (int cpu : spec.vcpu_cpus) {
    if (!seen.insert(cpu).second) {
      return Bad(absl::StrCat("host CPU ", cpu,
                              " is named twice; each vCPU and the service CPU "
                              "need one of their own"));
    }
  }
  if (!spec.memory_nodes.empty() && spec.memory_nodes.size() != size_t(nodes)) {
    return Bad(absl::StrCat(spec.memory_nodes.size(), " host nodes for ", nodes,
                            " guest nodes; one for each or none is accepted"));
  }
  return absl::OkStatus();
}

absl::StatusOr<PerformanceSpec> ReadPerformanceSpec(const json& value) {
  if (!value.is_object()) return BadKey(kKey, "an object");
  PerformanceSpec spec;
  for (const auto& [key, field] : value.items()) {
    const std::string path = absl::StrCat(kKey, ".", key);
    if (key == "vcpu_cpus") {
      ABSL_ASSIGN_OR_RETURN(spec.vcpu_cpus, ReadNumbers(path, field));
    } else if (key == "service_cpu") {
      ABSL_ASSIGN_OR_RETURN(spec.service_cpu,
                            IntegerIn(path, field, 0, kMostCpu));
    } else if (key == "memory_nodes") {
      ABSL_ASSIGN_OR_RETURN(spec.memory_nodes, ReadNumbers(path, field));
    } else {
      return UnknownKey(path);
    }
  }
  return spec;
}

json PerformanceSpecJson(const PerformanceSpec& spec) {
  return {{"vcpu_cpus", spec.vcpu_cpus},
          {"service_cpu", spec.service_cpu},
          {"memory_nodes", spec.memory_nodes}};
}

}  // namespace ktstr
