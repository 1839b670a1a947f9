// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/judge_pages.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/cpu_list.h"

namespace ktstr::internal {
namespace {

bool Has(const std::vector<int>& nodes, int node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

double Ratio(uint64_t part, uint64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

// The pages of one worker, or of several.
struct Pages {
  uint64_t all = 0;
  uint64_t expected = 0;
  uint64_t slow = 0;  // on memory-only nodes where they are not expected

  void Add(const Pages& other) {
    all += other.all;
    expected += other.expected;
    slow += other.slow;
  }
};

Pages Count(const WorkerReport& report, const PagePlacement& placement) {
  Pages pages;
  for (const auto& [node, count] : report.numa_pages) {
    pages.all += count;
    if (Has(placement.expected_nodes, node)) {
      pages.expected += count;
    } else if (Has(placement.memory_only_nodes, node)) {
      pages.slow += count;
    }
  }
  return pages;
}

class PageJudge {
 public:
  PageJudge(const PagePlacement& placement, const Checks& checks)
      : placement_(placement), checks_(checks) {}

  void Worker(const WorkerReport& report) {
    const Pages pages = Count(report, placement_);
    if (pages.all == 0) return;
    total_.Add(pages);
    if (report.vmstat_numa_pages_migrated) CrossNode(report, pages);
    if (placement_.expected_nodes.empty()) return;
    Locality(report, pages);
    SlowTier(report, pages);
  }

  PagesJudged Take() {
    if (total_.all > 0 && !placement_.expected_nodes.empty()) {
      judged_.locality = Ratio(total_.expected, total_.all);
    }
    return std::move(judged_);
  }

 private:
  void Add(FindingKind kind, std::string message) {
    judged_.findings.push_back({.kind = kind, .message = std::move(message)});
  }

  void Locality(const WorkerReport& report, const Pages& pages) {
    if (!checks_.min_page_locality) return;
    judged_.evaluated.locality = true;
    const double locality = Ratio(pages.expected, pages.all);
    if (!(locality < *checks_.min_page_locality)) return;
    Add(FindingKind::kPageLocality,
        absl::StrFormat("worker %d has %d of %d pages on node %s, a locality "
                        "of %.4f, minimum %.4f",
                        report.pid, pages.expected, pages.all,
                        FormatCpuList(placement_.expected_nodes), locality,
                        *checks_.min_page_locality));
  }

  // The kernel counts migrated pages for the whole system: each worker is held
  // against what moved while it ran.
  void CrossNode(const WorkerReport& report, const Pages& pages) {
    const double ratio = Ratio(*report.vmstat_numa_pages_migrated, pages.all);
    std::optional<double>& worst = judged_.cross_node_migration_ratio;
    worst = std::max(worst.value_or(0), ratio);
    if (!checks_.max_cross_node_migration_ratio) return;
    judged_.evaluated.cross_node = true;
    if (!(ratio > *checks_.max_cross_node_migration_ratio)) return;
    Add(FindingKind::kCrossNodeMigration,
        absl::StrFormat("%d pages moved between nodes while worker %d, with "
                        "%d pages, ran: %.4f each, maximum %.4f",
                        *report.vmstat_numa_pages_migrated, report.pid,
                        pages.all, ratio,
                        *checks_.max_cross_node_migration_ratio));
  }

  void SlowTier(const WorkerReport& report, const Pages& pages) {
    if (!checks_.max_slow_tier_ratio) return;
    judged_.evaluated.slow_tier = true;
    const double ratio = Ratio(pages.slow, pages.all);
    if (!(ratio > *checks_.max_slow_tier_ratio)) return;
    Add(FindingKind::kSlowTier,
        absl::StrFormat("worker %d has %d of %d pages on memory-only nodes, "
                        "%.4f of them, maximum %.4f",
                        report.pid, pages.slow, pages.all, ratio,
                        *checks_.max_slow_tier_ratio));
  }

  const PagePlacement& placement_;
  const Checks& checks_;
  Pages total_;
  PagesJudged judged_;
};

}  // namespace

void PagesEvaluated::Merge(const PagesEvaluated& other) {
  locality |= other.locality;
  cross_node |= other.cross_node;
  slow_tier |= other.slow_tier;
}

PagesJudged JudgePages(absl::Span<const WorkerReport> reports,
                       const PagePlacement& placement, const Checks& checks) {
  PageJudge judge(placement, checks);
  for (const WorkerReport& report : reports) judge.Worker(report);
  return judge.Take();
}

}  // namespace ktstr::internal
