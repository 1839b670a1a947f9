// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/machine_details_json.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/json_fields.h"

namespace ktstr {
namespace {

using ::nlohmann::json;

// Beyond any that MachineTopology::Create accepts, so that its sentences are
// the ones people see.
constexpr int64_t kMostInt = 1 << 30;
constexpr int64_t kMostMib = int64_t{1} << 40;
constexpr size_t kMostItems = 1024;

template <typename Value>
using Names = std::vector<std::pair<Value, absl::string_view>>;

const Names<CpuVendor>& VendorNames() {
  static const auto* const kNames =
      new Names<CpuVendor>{{CpuVendor::kHost, "host"},
                           {CpuVendor::kIntel, "intel"},
                           {CpuVendor::kAmd, "amd"}};
  return *kNames;
}

const Names<LlcsAre>& LlcsAreNames() {
  static const auto* const kNames =
      new Names<LlcsAre>{{LlcsAre::kGroups, "groups"},
                         {LlcsAre::kDies, "dies"},
                         {LlcsAre::kPackages, "packages"}};
  return *kNames;
}

const Names<MemorySideCache::Indexing>& IndexingNames() {
  static const auto* const kNames = new Names<MemorySideCache::Indexing>{
      {MemorySideCache::Indexing::kDirectMapped, "direct-mapped"},
      {MemorySideCache::Indexing::kComplex, "complex"}};
  return *kNames;
}

const Names<MemorySideCache::WritePolicy>& WritePolicyNames() {
  static const auto* const kNames = new Names<MemorySideCache::WritePolicy>{
      {MemorySideCache::WritePolicy::kWriteBack, "write-back"},
      {MemorySideCache::WritePolicy::kWriteThrough, "write-through"}};
  return *kNames;
}

template <typename Value>
absl::Status ReadName(absl::string_view key, const json& value,
                      const Names<Value>& names, Value& result) {
  for (const auto& [known, name] : names) {
    if (value.is_string() && value.get<std::string>() == name) {
      result = known;
      return absl::OkStatus();
    }
  }
  return BadKey(
      key,
      absl::StrCat(
          "one of ",
          absl::StrJoin(names, ", ", [](std::string* out, const auto& entry) {
            absl::StrAppend(out, "\"", entry.second, "\"");
          })));
}

template <typename Value>
std::string NameOf(Value value, const Names<Value>& names) {
  for (const auto& [known, name] : names) {
    if (known == value) return std::string(name);
  }
  return "";
}

template <typename Number>
absl::Status ReadNumber(absl::string_view key, const json& value, int64_t most,
                        Number& result) {
  ABSL_ASSIGN_OR_RETURN(int64_t number, IntegerIn(key, value, 0, most));
  result = Number(number);
  return absl::OkStatus();
}

absl::Status ReadSideCache(const json& object, MemorySideCache& cache) {
  if (!object.is_object()) return BadKey("memory_side_cache", "an object");
  for (const auto& [key, value] : object.items()) {
    if (key == "size_mib") {
      ABSL_RETURN_IF_ERROR(ReadNumber(key, value, kMostMib, cache.size_mib));
    } else if (key == "line_bytes") {
      ABSL_RETURN_IF_ERROR(ReadNumber(key, value, kMostInt, cache.line_bytes));
    } else if (key == "indexing") {
      ABSL_RETURN_IF_ERROR(
          ReadName(key, value, IndexingNames(), cache.indexing));
    } else if (key == "write_policy") {
      ABSL_RETURN_IF_ERROR(
          ReadName(key, value, WritePolicyNames(), cache.write_policy));
    } else {
      return UnknownKey(absl::StrCat("memory_side_cache.", key));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadNode(const json& object, DeclaredNode& node) {
  if (!object.is_object()) return BadKey("nodes", "an array of objects");
  for (const auto& [key, value] : object.items()) {
    if (key == "llcs") {
      ABSL_RETURN_IF_ERROR(ReadNumber(key, value, kMostInt, node.llcs));
    } else if (key == "memory_mib") {
      ABSL_RETURN_IF_ERROR(ReadNumber(key, value, kMostMib, node.memory_mib));
    } else if (key == "latency_ns") {
      ABSL_RETURN_IF_ERROR(
          ReadNumber(key, value, kMostInt, node.latency_ns.emplace()));
    } else if (key == "bandwidth_mbps") {
      ABSL_RETURN_IF_ERROR(
          ReadNumber(key, value, kMostInt, node.bandwidth_mbps.emplace()));
    } else if (key == "memory_side_cache") {
      ABSL_RETURN_IF_ERROR(
          ReadSideCache(value, node.memory_side_cache.emplace()));
    } else {
      return UnknownKey(absl::StrCat("nodes.", key));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadNodes(const json& value, std::vector<DeclaredNode>& nodes) {
  if (!value.is_array() || value.size() > kMostItems) {
    return BadKey("nodes", "an array of objects");
  }
  nodes.assign(value.size(), DeclaredNode());
  for (size_t i = 0; i < nodes.size(); ++i) {
    ABSL_RETURN_IF_ERROR(ReadNode(value[i], nodes[i]));
  }
  return absl::OkStatus();
}

absl::Status ReadMatrix(absl::string_view key, const json& value,
                        std::vector<std::vector<int>>& matrix) {
  if (!value.is_array() || value.size() > kMostItems) {
    return BadKey(key, "an array of rows");
  }
  matrix.assign(value.size(), {});
  for (size_t row = 0; row < matrix.size(); ++row) {
    if (!value[row].is_array() || value[row].size() > kMostItems) {
      return BadKey(key, "an array of rows, each an array of integers");
    }
    for (const json& item : value[row]) {
      ABSL_RETURN_IF_ERROR(
          ReadNumber(key, item, kMostInt, matrix[row].emplace_back()));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadCache(absl::string_view name, const json& object,
                       CacheGeometry& cache) {
  if (!object.is_object()) return BadKey(name, "an object");
  for (const auto& [key, value] : object.items()) {
    if (key == "size_kib") {
      ABSL_RETURN_IF_ERROR(ReadNumber(key, value, kMostInt, cache.size_kib));
    } else if (key == "ways") {
      ABSL_RETURN_IF_ERROR(ReadNumber(key, value, kMostInt, cache.ways));
    } else if (key == "line_bytes") {
      ABSL_RETURN_IF_ERROR(ReadNumber(key, value, kMostInt, cache.line_bytes));
    } else {
      return UnknownKey(absl::StrCat(name, ".", key));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadCaches(const json& object, CpuCaches& caches) {
  if (!object.is_object()) return BadKey("caches", "an object");
  for (const auto& [key, value] : object.items()) {
    CacheGeometry* cache = key == "l1d"   ? &caches.l1d
                           : key == "l1i" ? &caches.l1i
                           : key == "l2"  ? &caches.l2
                           : key == "l3"  ? &caches.l3
                                          : nullptr;
    if (cache == nullptr) return UnknownKey(absl::StrCat("caches.", key));
    ABSL_RETURN_IF_ERROR(ReadCache(key, value, *cache));
  }
  return absl::OkStatus();
}

json WriteNode(const DeclaredNode& node) {
  json object = {{"llcs", node.llcs}, {"memory_mib", node.memory_mib}};
  if (node.latency_ns) object["latency_ns"] = *node.latency_ns;
  if (node.bandwidth_mbps) object["bandwidth_mbps"] = *node.bandwidth_mbps;
  if (node.memory_side_cache) {
    const MemorySideCache& cache = *node.memory_side_cache;
    object["memory_side_cache"] = {
        {"size_mib", cache.size_mib},
        {"line_bytes", cache.line_bytes},
        {"indexing", NameOf(cache.indexing, IndexingNames())},
        {"write_policy", NameOf(cache.write_policy, WritePolicyNames())}};
  }
  return object;
}

json WriteCache(const CacheGeometry& cache) {
  return {{"size_kib", cache.size_kib},
          {"ways", cache.ways},
          {"line_bytes", cache.line_bytes}};
}

}  // namespace

absl::StatusOr<bool> ReadMachineDetail(const std::string& key,
                                       const json& value,
                                       MachineDetails& details) {
  absl::Status status;
  if (key == "nodes") {
    status = ReadNodes(value, details.nodes);
  } else if (key == "distances") {
    status = ReadMatrix(key, value, details.distances);
  } else if (key == "latency_ns") {
    status = ReadMatrix(key, value, details.latency_ns);
  } else if (key == "bandwidth_mbps") {
    status = ReadMatrix(key, value, details.bandwidth_mbps);
  } else if (key == "caches") {
    status = ReadCaches(value, details.caches);
  } else if (key == "cpu_vendor") {
    status = ReadName(key, value, VendorNames(), details.cpu_vendor);
  } else if (key == "llcs_are") {
    status = ReadName(key, value, LlcsAreNames(), details.llcs_are);
  } else {
    return false;
  }
  if (!status.ok()) return status;
  return true;
}

void WriteMachineDetails(const MachineDetails& details, json& object) {
  const MachineDetails unsaid;
  if (!details.nodes.empty()) {
    json& nodes = object["nodes"] = json::array();
    for (const DeclaredNode& node : details.nodes)
      nodes.push_back(WriteNode(node));
  }
  if (!details.distances.empty()) object["distances"] = details.distances;
  if (!details.latency_ns.empty()) object["latency_ns"] = details.latency_ns;
  if (!details.bandwidth_mbps.empty()) {
    object["bandwidth_mbps"] = details.bandwidth_mbps;
  }
  if (details.caches != unsaid.caches) {
    object["caches"] = {{"l1d", WriteCache(details.caches.l1d)},
                        {"l1i", WriteCache(details.caches.l1i)},
                        {"l2", WriteCache(details.caches.l2)},
                        {"l3", WriteCache(details.caches.l3)}};
  }
  if (details.cpu_vendor != unsaid.cpu_vendor) {
    object["cpu_vendor"] = NameOf(details.cpu_vendor, VendorNames());
  }
  if (details.llcs_are != unsaid.llcs_are) {
    object["llcs_are"] = NameOf(details.llcs_are, LlcsAreNames());
  }
}

}  // namespace ktstr
