// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/topology.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

constexpr uint64_t kMaxSysfsBytes = 1 << 20;
constexpr int kLocalDistance = 10;
constexpr int kRemoteDistance = 20;
constexpr int kUnknownDistance = 255;

// What sysfs says about one CPU.
struct CpuFacts {
  int core = 0;
  int llc_id = 0;
  std::vector<int> sharing;
  std::optional<int64_t> cache_kib;
};

absl::StatusOr<int> ReadInt(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxSysfsBytes));
  int value = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not a number: \"",
                     absl::StripAsciiWhitespace(text).substr(0, 40), "\""));
  }
  return value;
}

absl::StatusOr<std::vector<int>> ReadCpuList(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxSysfsBytes));
  absl::StatusOr<std::vector<int>> cpus =
      ParseCpuList(absl::StripAsciiWhitespace(text));
  if (!cpus.ok()) return Annotate(cpus.status(), path);
  return cpus;
}

// "32K", "16M"; a bare number is bytes, rounded up to KiB.
std::optional<int64_t> ParseCacheKib(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  int64_t unit = 0;
  if (absl::ConsumeSuffix(&text, "K")) unit = 1;
  if (absl::ConsumeSuffix(&text, "M")) unit = 1024;
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < 0) return std::nullopt;
  return unit > 0 ? value * unit : (value + 1023) / 1024;
}

// Path of the cache directory with the highest level that holds data; empty
// when there is none.
absl::StatusOr<std::string> LastLevelCache(const std::string& cpu_dir) {
  std::string best;
  int best_level = 0;
  std::string cache_dir = JoinPath(cpu_dir, "cache");
  if (!FileExists(cache_dir)) return best;
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(cache_dir));
  for (const std::string& name : names) {
    std::string dir = JoinPath(cache_dir, name);
    if (!absl::StartsWith(name, "index")) continue;
    if (!FileExists(JoinPath(dir, "shared_cpu_list"))) continue;
    ABSL_ASSIGN_OR_RETURN(int level, ReadInt(JoinPath(dir, "level")));
    if (level <= best_level) continue;
    best_level = level;
    best = dir;
  }
  return best;
}

absl::StatusOr<CpuFacts> ReadCpu(const std::string& root, int cpu) {
  std::string dir = JoinPath(root, absl::StrCat("cpu/cpu", cpu));
  CpuFacts facts{.core = cpu};
  std::string core_path = JoinPath(dir, "topology/core_id");
  if (FileExists(core_path)) {
    ABSL_ASSIGN_OR_RETURN(facts.core, ReadInt(core_path));
  }
  ABSL_ASSIGN_OR_RETURN(std::string cache, LastLevelCache(dir));
  if (cache.empty()) return facts;
  ABSL_ASSIGN_OR_RETURN(facts.sharing,
                        ReadCpuList(JoinPath(cache, "shared_cpu_list")));
  if (!facts.sharing.empty()) facts.llc_id = facts.sharing.front();
  if (FileExists(JoinPath(cache, "id"))) {
    ABSL_ASSIGN_OR_RETURN(facts.llc_id, ReadInt(JoinPath(cache, "id")));
  }
  if (absl::StatusOr<std::string> size = ReadFile(JoinPath(cache, "size"));
      size.ok()) {
    facts.cache_kib = ParseCacheKib(*size);
  }
  return facts;
}

// "Node 0 MemTotal:  1024 kB"
std::optional<int64_t> MemInfoKib(absl::string_view text,
                                  absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t value = 0;
    if (words.size() >= 4 && words[2] == key &&
        absl::SimpleAtoi(words[3], &value)) {
      return value;
    }
  }
  return std::nullopt;
}

std::vector<int> ParseDistances(absl::string_view text) {
  std::vector<int> row;
  for (absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n\t"), absl::SkipEmpty())) {
    int value = 0;
    if (!absl::SimpleAtoi(word, &value)) return {};
    row.push_back(value);
  }
  return row;
}

absl::StatusOr<NumaNode> ReadNode(const std::string& root, int id) {
  NumaNode node{.id = id};
  std::string dir = JoinPath(root, absl::StrCat("node/node", id));
  ABSL_ASSIGN_OR_RETURN(node.cpus, ReadCpuList(JoinPath(dir, "cpulist")));
  if (absl::StatusOr<std::string> text = ReadFile(JoinPath(dir, "meminfo"));
      text.ok()) {
    node.total_kib = MemInfoKib(*text, "MemTotal:");
    node.free_kib = MemInfoKib(*text, "MemFree:");
  }
  if (absl::StatusOr<std::string> text = ReadFile(JoinPath(dir, "distance"));
      text.ok()) {
    node.distances = ParseDistances(*text);
  }
  return node;
}

// Diagonal 10, the rest larger and symmetric; otherwise every row is replaced
// by 10 and 20.
void RepairDistances(std::vector<NumaNode>& nodes) {
  bool good = true;
  for (size_t i = 0; i < nodes.size() && good; ++i) {
    good = nodes[i].distances.size() == nodes.size();
    for (size_t j = 0; j < nodes.size() && good; ++j) {
      if (nodes[j].distances.size() != nodes.size()) {
        good = false;
      } else if (i == j) {
        good = nodes[i].distances[j] == kLocalDistance;
      } else {
        good = nodes[i].distances[j] > kLocalDistance &&
               nodes[i].distances[j] == nodes[j].distances[i];
      }
    }
  }
  if (good) return;
  for (size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].distances.assign(nodes.size(), kRemoteDistance);
    nodes[i].distances[i] = kLocalDistance;
  }
}

absl::StatusOr<std::vector<NumaNode>> ReadNodes(
    const std::string& root, const std::vector<int>& all_cpus) {
  std::vector<NumaNode> nodes;
  std::string dir = JoinPath(root, "node");
  if (FileExists(dir)) {
    ABSL_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(dir));
    for (absl::string_view name : names) {
      int id = 0;
      if (!absl::ConsumePrefix(&name, "node")) continue;
      if (!absl::SimpleAtoi(name, &id) || id < 0) continue;
      ABSL_ASSIGN_OR_RETURN(NumaNode node, ReadNode(root, id));
      nodes.push_back(std::move(node));
    }
  }
  if (nodes.empty()) nodes.push_back({.id = 0, .cpus = all_cpus});
  std::sort(nodes.begin(), nodes.end(),
            [](const NumaNode& a, const NumaNode& b) { return a.id < b.id; });
  RepairDistances(nodes);
  return nodes;
}

int NodeOfCpu(const std::vector<NumaNode>& nodes, int cpu) {
  for (const NumaNode& node : nodes) {
    if (std::binary_search(node.cpus.begin(), node.cpus.end(), cpu)) {
      return node.id;
    }
  }
  return 0;
}

}  // namespace

absl::StatusOr<GuestTopology> GuestTopology::Read(const std::string& root) {
  GuestTopology topology;
  ABSL_ASSIGN_OR_RETURN(topology.all_cpus_,
                        ReadCpuList(JoinPath(root, "cpu/online")));
  if (topology.all_cpus_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(JoinPath(root, "cpu/online"), ": no CPU is online"));
  }
  ABSL_ASSIGN_OR_RETURN(topology.nodes_, ReadNodes(root, topology.all_cpus_));
  // Cache ids are unique per level on one machine, but some firmware repeats
  // them per package: the sharing list is part of the key.
  std::map<std::pair<int, std::vector<int>>, Llc> llcs;
  for (int cpu : topology.all_cpus_) {
    ABSL_ASSIGN_OR_RETURN(CpuFacts facts, ReadCpu(root, cpu));
    Llc& llc = llcs[{facts.llc_id, facts.sharing}];
    llc.id = facts.llc_id;
    if (llc.cpus.empty()) llc.node = NodeOfCpu(topology.nodes_, cpu);
    llc.cpus.push_back(cpu);
    llc.cores[facts.core].push_back(cpu);
    llc.cache_kib = facts.cache_kib;
  }
  for (auto& [key, llc] : llcs) topology.llcs_.push_back(std::move(llc));
  return topology;
}

GuestTopology GuestTopology::FromDeclared(const Topology& declared) {
  GuestTopology topology;
  for (int cpu = 0; cpu < declared.cpus(); ++cpu) {
    topology.all_cpus_.push_back(cpu);
  }
  for (int index = 0; index < declared.llcs(); ++index) {
    Llc llc{.id = index,
            .node = declared.NodeOfLlc(index),
            .cpus = declared.CpusOfLlc(index)};
    for (int cpu : llc.cpus) {
      llc.cores[declared.PlaceOf(cpu).core].push_back(cpu);
    }
    topology.llcs_.push_back(std::move(llc));
  }
  for (int id = 0; id < declared.nodes(); ++id) {
    topology.nodes_.push_back({.id = id, .cpus = declared.CpusOfNode(id)});
  }
  RepairDistances(topology.nodes_);
  return topology;
}

std::vector<int> GuestTopology::usable_cpus() const {
  std::vector<int> cpus = all_cpus_;
  if (cpus.size() > 2) cpus.pop_back();
  return cpus;
}

std::vector<int> GuestTopology::cpus_in_llc(int index) const {
  if (index < 0 || index >= num_llcs()) return {};
  return llcs_[index].cpus;
}

std::vector<int> GuestTopology::cpus_of_node(int id) const {
  std::vector<int> cpus;
  for (const Llc& llc : llcs_) {
    if (llc.node == id) {
      cpus.insert(cpus.end(), llc.cpus.begin(), llc.cpus.end());
    }
  }
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

const NumaNode* GuestTopology::find_node(int id) const {
  for (const NumaNode& node : nodes_) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

std::vector<std::vector<int>> GuestTopology::wrapping_windows(
    int n, double overlap) const {
  std::vector<std::vector<int>> windows;
  const int total = total_cpus();
  const int base = n > 0 ? total / n : 0;
  // A product a hair above a whole number is that number.
  const int shared = static_cast<int>(std::ceil(base * overlap - 1e-9));
  const int stride = base > shared ? base - shared : 1;
  for (int i = 0; i < n; ++i) {
    std::vector<int> cpus;
    for (int k = 0; k < std::max(1, base); ++k) {
      cpus.push_back(all_cpus_[(int64_t{i} * stride + k) % total]);
    }
    std::sort(cpus.begin(), cpus.end());
    windows.push_back(std::move(cpus));
  }
  return windows;
}

std::vector<int> GuestTopology::nodes_of(absl::Span<const int> cpus) const {
  std::set<int> nodes;
  for (const Llc& llc : llcs_) {
    for (int cpu : cpus) {
      if (std::binary_search(llc.cpus.begin(), llc.cpus.end(), cpu)) {
        nodes.insert(llc.node);
        break;
      }
    }
  }
  return {nodes.begin(), nodes.end()};
}

int GuestTopology::distance(int from, int to) const {
  const NumaNode* node = find_node(from);
  if (node == nullptr || find_node(to) == nullptr) return kUnknownDistance;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].id == to) return node->distances[i];
  }
  return kUnknownDistance;
}

}  // namespace ktstr
