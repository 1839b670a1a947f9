// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Which CPUs a Stage gives to workers.
#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/status_macros.h"
#include "ktstr/internal/stage.h"

namespace ktstr::internal {
namespace {

std::vector<int> Intersect(const std::vector<int>& a,
                           const std::vector<int>& b) {
  std::vector<int> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(both));
  return both;
}

}  // namespace

std::optional<std::vector<int>> Stage::Effective(
    const std::string& cgroup) const {
  std::optional<std::vector<int>> allowed;
  for (size_t end = cgroup.find('/');; end = cgroup.find('/', end + 1)) {
    auto own = cpusets_.find(cgroup.substr(0, end));
    if (own != cpusets_.end()) {
      const std::vector<int> online = Online(own->second);
      std::vector<int> both = allowed ? Intersect(*allowed, online) : online;
      // The kernel falls back to the parent's CPUs when none is common.
      if (!both.empty()) allowed = std::move(both);
    }
    if (end == std::string::npos) return allowed;
  }
}

std::vector<int> Stage::RandomHalf(std::vector<int> pool) {
  size_t keep = std::max<size_t>(1, pool.size() / 2);
  for (size_t i = 0; i < keep && i < pool.size(); ++i) {
    std::swap(pool[i], pool[i + random_.Below(pool.size() - i)]);
  }
  pool.resize(std::min(keep, pool.size()));
  std::sort(pool.begin(), pool.end());
  return pool;
}

std::vector<int> Stage::LargestLlcShare(const std::vector<int>& pool) const {
  std::vector<int> best;
  for (const Llc& llc : context_.topology().llcs()) {
    std::vector<int> share = Intersect(llc.cpus, pool);
    if (share.size() > best.size()) best = std::move(share);
  }
  return best;
}

absl::StatusOr<std::vector<std::vector<int>>> Stage::ResolveAffinity(
    const Affinity& affinity, const std::string& cgroup, int workers) {
  const std::vector<int> all = Online(context_.topology().all_cpus());
  std::vector<int> pool = Effective(cgroup).value_or(all);
  std::vector<int> same;
  switch (affinity.kind) {
    case Affinity::Kind::kInherit:
      return std::vector<std::vector<int>>();
    case Affinity::Kind::kRandomSubset: {
      std::vector<std::vector<int>> masks;
      for (int i = 0; i < workers; ++i) masks.push_back(RandomHalf(pool));
      return masks;
    }
    case Affinity::Kind::kLlcAligned:
      same = LargestLlcShare(pool);
      break;
    case Affinity::Kind::kCrossCgroup:
      same = all;
      break;
    case Affinity::Kind::kSingleCpu:
      same = {pool.front()};
      break;
    case Affinity::Kind::kExact:
      same = affinity.cpus;
      std::sort(same.begin(), same.end());
      same = Intersect(same, pool);
      if (same.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "affinity ", FormatCpuList(affinity.cpus), " of cgroup \"", cgroup,
            "\" has no CPU of ", FormatCpuList(pool)));
      }
      break;
  }
  return std::vector<std::vector<int>>(std::max(workers, 0), same);
}

absl::Status Stage::SetAffinity(const std::string& cgroup,
                                const Affinity& affinity) {
  ABSL_RETURN_IF_ERROR(Require(cgroup));
  for (Group& group : groups_) {
    if (group.cgroup != cgroup) continue;
    const int workers = group.workers->spec().workers;
    ABSL_ASSIGN_OR_RETURN(std::vector<std::vector<int>> masks,
                          ResolveAffinity(affinity, cgroup, workers));
    for (size_t i = 0; i < masks.size(); ++i) {
      ABSL_RETURN_IF_ERROR(
          group.workers->SetAffinity(static_cast<int>(i), masks[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace ktstr::internal
