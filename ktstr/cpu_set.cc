// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/cpu_set.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

std::vector<int> Slice(const std::vector<int>& cpus, int begin, int end) {
  int size = static_cast<int>(cpus.size());
  begin = std::clamp(begin, 0, size);
  end = std::clamp(end, begin, size);
  return {cpus.begin() + begin, cpus.begin() + end};
}

absl::Status Invalid(const std::string& spec, absl::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("cpuset ", spec, ": ", reason));
}

}  // namespace

CpuSet CpuSet::llc(int index) {
  CpuSet set(Kind::kLlc);
  set.index_ = index;
  return set;
}

CpuSet CpuSet::numa(int node_id) {
  CpuSet set(Kind::kNuma);
  set.index_ = node_id;
  return set;
}

CpuSet CpuSet::range(double begin, double end) {
  CpuSet set(Kind::kRange);
  set.begin_ = begin;
  set.end_ = end;
  return set;
}

CpuSet CpuSet::disjoint(int index, int of) {
  CpuSet set(Kind::kDisjoint);
  set.index_ = index;
  set.of_ = of;
  return set;
}

CpuSet CpuSet::overlap(int index, int of, double fraction) {
  CpuSet set(Kind::kOverlap);
  set.index_ = index;
  set.of_ = of;
  set.begin_ = fraction;
  return set;
}

CpuSet CpuSet::exact(std::vector<int> cpus) {
  CpuSet set(Kind::kExact);
  set.cpus_ = std::move(cpus);
  std::sort(set.cpus_.begin(), set.cpus_.end());
  set.cpus_.erase(std::unique(set.cpus_.begin(), set.cpus_.end()),
                  set.cpus_.end());
  return set;
}

std::string CpuSet::ToString() const {
  switch (kind_) {
    case Kind::kLlc:
      return absl::StrCat("llc(", index_, ")");
    case Kind::kNuma:
      return absl::StrCat("numa(", index_, ")");
    case Kind::kRange:
      return absl::StrCat("range(", begin_, ", ", end_, ")");
    case Kind::kDisjoint:
      return absl::StrCat("disjoint(", index_, ", ", of_, ")");
    case Kind::kOverlap:
      return absl::StrCat("overlap(", index_, ", ", of_, ", ", begin_, ")");
    case Kind::kExact:
      return absl::StrCat("exact(", FormatCpuList(cpus_), ")");
  }
  return "unknown";
}

absl::Status CpuSet::CheckShare(int usable) const {
  if (of_ <= 0) return Invalid(ToString(), "the number of parts must be > 0");
  if (index_ < 0 || index_ >= of_) {
    return Invalid(ToString(),
                   absl::StrCat("part ", index_, " is not one of the ", of_,
                                " parts (0 to ", of_ - 1, ")"));
  }
  if (usable < of_) {
    return Invalid(ToString(),
                   absl::StrCat("the machine has ", usable,
                                " usable CPUs, fewer than ", of_, " parts"));
  }
  if (kind_ == Kind::kOverlap &&
      !(std::isfinite(begin_) && begin_ >= 0 && begin_ <= 1)) {
    return Invalid(ToString(), "the overlap must be between 0 and 1");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int>> CpuSet::Unchecked(
    const GuestTopology& machine) const {
  const std::vector<int> usable = machine.usable_cpus();
  const int count = static_cast<int>(usable.size());
  switch (kind_) {
    case Kind::kLlc:
      if (index_ < 0 || index_ >= machine.num_llcs()) {
        return Invalid(ToString(), absl::StrCat("the machine has LLCs 0 to ",
                                                machine.num_llcs() - 1));
      }
      return machine.cpus_in_llc(index_);
    case Kind::kNuma: {
      const NumaNode* node = machine.find_node(index_);
      if (node == nullptr) {
        return Invalid(ToString(),
                       absl::StrCat("the machine has no NUMA node ", index_,
                                    " (it has ", machine.num_nodes(), ")"));
      }
      if (node->cpus.empty()) {
        return Invalid(ToString(), "the node has memory only, no CPUs");
      }
      return machine.cpus_of_node(index_);
    }
    case Kind::kRange:
      if (!(std::isfinite(begin_) && std::isfinite(end_) && begin_ >= 0 &&
            begin_ < end_ && end_ <= 1)) {
        return Invalid(ToString(), "must satisfy 0 <= begin < end <= 1");
      }
      return Slice(usable, static_cast<int>(count * begin_),
                   static_cast<int>(count * end_));
    case Kind::kDisjoint:
    case Kind::kOverlap: {
      ABSL_RETURN_IF_ERROR(CheckShare(count));
      const int part = count / of_;
      const int reach =
          kind_ == Kind::kOverlap ? static_cast<int>(part * begin_) : 0;
      const bool is_last = index_ == of_ - 1;
      return Slice(usable, index_ == 0 ? 0 : index_ * part - reach,
                   is_last ? count : (index_ + 1) * part + reach);
    }
    case Kind::kExact:
      for (int cpu : cpus_) {
        if (!std::binary_search(machine.all_cpus().begin(),
                                machine.all_cpus().end(), cpu)) {
          return Invalid(ToString(),
                         absl::StrCat("CPU ", cpu, " is not one of ",
                                      FormatCpuList(machine.all_cpus())));
        }
      }
      return cpus_;
  }
  return absl::InternalError("cpuset: unknown kind");
}

absl::StatusOr<std::vector<int>> CpuSet::Resolve(
    const GuestTopology& machine) const {
  ABSL_ASSIGN_OR_RETURN(std::vector<int> cpus, Unchecked(machine));
  if (cpus.empty()) {
    return Invalid(
        ToString(),
        absl::StrCat("resolves to no CPU on a machine with usable CPUs ",
                     FormatCpuList(machine.usable_cpus())));
  }
  return cpus;
}

}  // namespace ktstr
