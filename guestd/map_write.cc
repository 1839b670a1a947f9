// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/map_write.h"

#include <linux/bpf.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/map_write_rules.h"

namespace ktstr::guestd {
namespace {

// How many maps are named: at the end of the sentence, of which the host keeps
// 2,048 bytes, and of those whose names end alike.
constexpr size_t kMaxNamed = 16;
constexpr size_t kMaxAlike = 3;

std::string ListMaps(absl::Span<const BpfMap> maps) {
  if (maps.empty()) return "its programs use no maps";
  std::vector<std::string> names;
  for (const BpfMap& map : maps.subspan(0, kMaxNamed)) {
    names.push_back(absl::StrCat(map.name.empty() ? "(no name)" : map.name,
                                 " (", MapTypeName(map.type), ", ",
                                 map.value_size, " bytes)"));
  }
  const size_t more = maps.size() - names.size();
  return absl::StrCat("its maps: ", absl::StrJoin(names, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

absl::Status CheckRules(const v1::BpfMapWrite& write) {
  if (const char* why = MapSuffixProblem(write.map_suffix())) {
    return absl::InvalidArgumentError(absl::StrCat("the suffix ", why));
  }
  if (const char* why = MapOffsetProblem(write.offset())) {
    return absl::InvalidArgumentError(absl::StrCat("the offset ", why));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<const BpfMap*> FindMap(absl::Span<const BpfMap> maps,
                                      const v1::BpfMapWrite& write) {
  ABSL_RETURN_IF_ERROR(CheckRules(write));
  std::vector<const BpfMap*> found;
  for (const BpfMap& map : maps) {
    if (absl::EndsWith(map.name, write.map_suffix())) found.push_back(&map);
  }
  if (found.empty()) return absl::NotFoundError("no map's name ends so");
  if (found.size() > 1) {
    std::vector<absl::string_view> names;
    for (const BpfMap* map : found) names.push_back(map->name);
    if (names.size() > kMaxAlike) names.resize(kMaxAlike);
    return absl::FailedPreconditionError(
        absl::StrCat("the names of ", found.size(),
                     " maps end so: ", absl::StrJoin(names, ", ")));
  }
  const BpfMap& map = *found.front();
  if (map.type != BPF_MAP_TYPE_ARRAY) {
    return absl::FailedPreconditionError(absl::StrCat(
        "map ", map.name, " is no array but of type ", MapTypeName(map.type)));
  }
  if (uint64_t{write.offset()} + sizeof(uint32_t) > map.value_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the value of map ", map.name, " has only ", map.value_size, " bytes"));
  }
  return &map;
}

absl::Status WriteMaps(
    const google::protobuf::RepeatedPtrField<v1::BpfMapWrite>& writes,
    absl::Span<const BpfMap> maps, const StoreInMap& store) {
  std::vector<std::string> problems;
  for (const v1::BpfMapWrite& write : writes) {
    absl::StatusOr<const BpfMap*> map = FindMap(maps, write);
    absl::Status status = map.status();
    if (map.ok()) status = store(**map, write.offset(), write.value());
    if (status.ok()) continue;
    const std::string suffix =
        absl::CHexEscape(write.map_suffix().substr(0, kMaxMapName));
    problems.push_back(absl::StrCat("\"", suffix, "\" at ", write.offset(),
                                    ": ", status.message()));
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      problems.size(), " of ", writes.size(),
      " not done: ", absl::StrJoin(problems, "; "), "; ", ListMaps(maps)));
}

std::string MapTypeName(uint32_t type) {
  static constexpr const char* kNames[] = {
      "unspec",
      "hash",
      "array",
      "prog_array",
      "perf_event_array",
      "percpu_hash",
      "percpu_array",
      "stack_trace",
      "cgroup_array",
      "lru_hash",
      "lru_percpu_hash",
      "lpm_trie",
      "array_of_maps",
      "hash_of_maps",
      "devmap",
      "sockmap",
      "cpumap",
      "xskmap",
      "sockhash",
      "cgroup_storage",
      "reuseport_sockarray",
      "percpu_cgroup_storage",
      "queue",
      "stack",
      "sk_storage",
      "devmap_hash",
      "struct_ops",
      "ringbuf",
      "inode_storage",
      "task_storage",
      "bloom_filter",
      "user_ringbuf",
      "cgrp_storage",
      "arena",
  };
  if (type < std::size(kNames)) return kNames[type];
  return absl::StrCat("type ", type);
}

}  // namespace ktstr::guestd
