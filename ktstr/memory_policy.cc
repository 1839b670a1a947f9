// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/memory_policy.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"

namespace ktstr {
namespace {

constexpr MemFlags kKnownFlags = MemFlags::static_nodes() |
                                 MemFlags::relative_nodes() |
                                 MemFlags::numa_balancing();

const char* KindName(MemPolicy::Kind kind) {
  switch (kind) {
    case MemPolicy::Kind::kDefault:
      return "unchanged";
    case MemPolicy::Kind::kLocal:
      return "local";
    case MemPolicy::Kind::kBind:
      return "bind";
    case MemPolicy::Kind::kPreferred:
      return "preferred";
    case MemPolicy::Kind::kInterleave:
      return "interleave";
    case MemPolicy::Kind::kPreferredMany:
      return "preferred_many";
    case MemPolicy::Kind::kWeightedInterleave:
      return "weighted_interleave";
  }
  return "unknown";
}

bool TakesNodes(MemPolicy::Kind kind) {
  return kind != MemPolicy::Kind::kDefault && kind != MemPolicy::Kind::kLocal;
}

}  // namespace

MemPolicy MemPolicy::bind(std::vector<int> nodes) {
  return {.kind = Kind::kBind, .nodes = std::move(nodes)};
}
MemPolicy MemPolicy::preferred(int node) {
  return {.kind = Kind::kPreferred, .nodes = {node}};
}
MemPolicy MemPolicy::interleave(std::vector<int> nodes) {
  return {.kind = Kind::kInterleave, .nodes = std::move(nodes)};
}
MemPolicy MemPolicy::preferred_many(std::vector<int> nodes) {
  return {.kind = Kind::kPreferredMany, .nodes = std::move(nodes)};
}
MemPolicy MemPolicy::weighted_interleave(std::vector<int> nodes) {
  return {.kind = Kind::kWeightedInterleave, .nodes = std::move(nodes)};
}

MemPolicy MemPolicy::with(MemFlags more) const {
  MemPolicy policy = *this;
  policy.flags = flags | more;
  return policy;
}

absl::Status MemPolicy::Validate() const {
  auto refuse = [&](const auto&... why) {
    return absl::InvalidArgumentError(
        absl::StrCat("memory policy ", ToString(), ": ", why...));
  };
  if (!kKnownFlags.contains(flags)) {
    return refuse("flags 0x", absl::Hex(flags.bits()),
                  " are not of static_nodes, relative_nodes, numa_balancing");
  }
  if (flags.contains(MemFlags::static_nodes() | MemFlags::relative_nodes())) {
    return refuse("nodes are either static or relative");
  }
  if (TakesNodes(kind) && nodes.empty()) return refuse("names no node");
  for (int node : nodes) {
    if (node >= 0 && node < kMaxNodes) continue;
    return refuse("a node is 0 to ", kMaxNodes - 1, ", not ", node);
  }
  return absl::OkStatus();
}

std::string MemPolicy::ToString() const {
  std::string text = KindName(kind);
  if (TakesNodes(kind)) {
    std::set<int> sorted(nodes.begin(), nodes.end());
    absl::StrAppend(
        &text, "(",
        FormatCpuList(std::vector<int>(sorted.begin(), sorted.end())), ")");
  }
  const std::pair<MemFlags, const char*> names[] = {
      {MemFlags::static_nodes(), "static_nodes"},
      {MemFlags::relative_nodes(), "relative_nodes"},
      {MemFlags::numa_balancing(), "numa_balancing"}};
  for (const auto& [flag, name] : names) {
    if (flags.contains(flag)) absl::StrAppend(&text, "|", name);
  }
  return text;
}

}  // namespace ktstr
