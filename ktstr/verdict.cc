// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/verdict.h"

#include <iterator>
#include <utility>

namespace ktstr {

const char* FindingKindName(FindingKind kind) {
  switch (kind) {
    case FindingKind::kUnspecified:
      return "Unspecified";
    case FindingKind::kStarved:
      return "Starved";
    case FindingKind::kStuck:
      return "Stuck";
    case FindingKind::kUnfair:
      return "Unfair";
    case FindingKind::kIsolation:
      return "Isolation";
    case FindingKind::kBenchmark:
      return "Benchmark";
    case FindingKind::kMigration:
      return "Migration";
    case FindingKind::kPageLocality:
      return "PageLocality";
    case FindingKind::kCrossNodeMigration:
      return "CrossNodeMigration";
    case FindingKind::kSlowTier:
      return "SlowTier";
    case FindingKind::kSchedulerDied:
      return "SchedulerDied";
    case FindingKind::kTestBodyError:
      return "TestBodyError";
    case FindingKind::kNotEvaluated:
      return "NotEvaluated";
    case FindingKind::kOther:
      return "Other";
    case FindingKind::kSchedulerNotAttached:
      return "SchedulerNotAttached";
    case FindingKind::kKernelPanic:
      return "KernelPanic";
    case FindingKind::kGuestHung:
      return "GuestHung";
    case FindingKind::kSchedulerStalled:
      return "SchedulerStalled";
    case FindingKind::kSchedulerEjected:
      return "SchedulerEjected";
  }
  return "Unspecified";
}

void Verdict::Add(Finding finding) {
  passed = false;
  skipped = false;
  findings.push_back(std::move(finding));
}

void Verdict::Merge(Verdict other) {
  passed = passed && other.passed;
  skipped = skipped && other.skipped;
  if (!skipped) skip_reason.clear();
  std::move(other.findings.begin(), other.findings.end(),
            std::back_inserter(findings));
  std::move(other.groups.begin(), other.groups.end(),
            std::back_inserter(groups));
  std::move(other.measurements.begin(), other.measurements.end(),
            std::back_inserter(measurements));
}

Verdict pass() { return Verdict{}; }

Verdict skip(std::string reason) {
  Verdict verdict;
  verdict.skipped = true;
  verdict.skip_reason = std::move(reason);
  return verdict;
}

Verdict fail(std::string message) {
  Verdict verdict;
  verdict.Add({.kind = FindingKind::kOther, .message = std::move(message)});
  return verdict;
}

}  // namespace ktstr
