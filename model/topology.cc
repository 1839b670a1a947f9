// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/topology.h"

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "topology \"", text,
      "\" is not of the form NnNlNcNt (such as 1n2l4c2t: NUMA nodes, LLCs, "
      "cores per LLC, threads per core) or N,N,N,N"));
}

}  // namespace

absl::StatusOr<Topology> Topology::Create(int nodes, int llcs, int cores,
                                          int threads) {
  const std::pair<const char*, int> axes[] = {{"NUMA nodes", nodes},
                                              {"LLCs", llcs},
                                              {"cores per LLC", cores},
                                              {"threads per core", threads}};
  for (const auto& [name, count] : axes) {
    if (count < 1 || count > kMaxCpus) {
      return absl::InvalidArgumentError(absl::StrCat(
          "topology: ", name, " is ", count, ", accepted are 1 to ", kMaxCpus));
    }
  }
  if (nodes > llcs) {
    return absl::InvalidArgumentError(
        absl::StrCat("topology: ", nodes,
                     " NUMA nodes need at least as many LLCs, not ", llcs));
  }
  if (int64_t{llcs} * cores * threads > kMaxCpus) {
    return absl::InvalidArgumentError(
        absl::StrCat("topology: ", int64_t{llcs} * cores * threads,
                     " CPUs, accepted are at most ", kMaxCpus));
  }
  Topology topology;
  topology.nodes_ = nodes;
  topology.llcs_ = llcs;
  topology.cores_ = cores;
  topology.threads_ = threads;
  return topology;
}

absl::StatusOr<Topology> Topology::Parse(absl::string_view text) {
  std::array<int, 4> axes = {};
  absl::string_view rest = text;
  const bool has_letters = text.find('n') != absl::string_view::npos;
  constexpr absl::string_view kLetters = "nlct";
  for (int i = 0; i < 4; ++i) {
    size_t end = has_letters ? rest.find(kLetters[i])
                             : (i < 3 ? rest.find(',') : rest.size());
    if (end == absl::string_view::npos || end == 0 || rest[0] < '0' ||
        rest[0] > '9' || !absl::SimpleAtoi(rest.substr(0, end), &axes[i])) {
      return Malformed(text);
    }
    rest.remove_prefix(end < rest.size() ? end + 1 : end);
  }
  if (!rest.empty()) return Malformed(text);
  return Create(axes[0], axes[1], axes[2], axes[3]);
}

CpuPlace Topology::PlaceOf(int cpu) const {
  int llc = cpu / cpus_per_llc();
  int within = cpu % cpus_per_llc();
  return {.node = NodeOfLlc(llc),
          .llc = llc,
          .core = within / threads_,
          .thread = within % threads_};
}

int Topology::NodeOfLlc(int llc) const { return llc * nodes_ / llcs_; }

std::vector<int> Topology::CpusOfLlc(int llc) const {
  std::vector<int> result;
  if (llc < 0 || llc >= llcs_) return result;
  for (int i = 0; i < cpus_per_llc(); ++i) {
    result.push_back(llc * cpus_per_llc() + i);
  }
  return result;
}

std::vector<int> Topology::CpusOfNode(int node) const {
  std::vector<int> result;
  for (int cpu = 0; cpu < cpus(); ++cpu) {
    if (PlaceOf(cpu).node == node) result.push_back(cpu);
  }
  return result;
}

std::string Topology::ToString() const {
  return absl::StrCat(nodes_, "n", llcs_, "l", cores_, "c", threads_, "t");
}

}  // namespace ktstr
