// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/expectation.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ktstr::hostd {
namespace {

using ktstr::v1::Expectation;
using ktstr::v1::Finding;
using ktstr::v1::SchedulerExitKind;

template <typename Kinds>
bool Contains(const Kinds& kinds, int kind) {
  return std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds);
}

// What the end of a scheduler brings with it.
bool IsByExit(int kind) {
  constexpr int kConsequences[] = {ktstr::v1::SCHEDULER_STALLED,
                                   ktstr::v1::SCHEDULER_EJECTED,
                                   ktstr::v1::SCHEDULER_DIED,
                                   ktstr::v1::STARVED,
                                   ktstr::v1::STUCK,
                                   ktstr::v1::UNFAIR,
                                   ktstr::v1::BENCHMARK};
  return Contains(kConsequences, kind);
}

std::string Name(int kind) {
  return ktstr::v1::FindingKind_Name(static_cast<v1::FindingKind>(kind));
}

std::string ExitName(SchedulerExitKind kind) {
  return kind == ktstr::v1::EXIT_UNSPECIFIED
             ? "nothing of the end of a scheduler"
             : absl::StrCat(ktstr::v1::SchedulerExitKind_Name(kind));
}

// "STUCK, and the scheduler to end by EXIT_ERROR_STALL".
std::string Describe(const Expectation& expectation) {
  std::vector<std::string> wanted;
  for (int kind : expectation.findings()) wanted.push_back(Name(kind));
  if (expectation.scheduler_exit() != ktstr::v1::EXIT_UNSPECIFIED) {
    wanted.push_back(absl::StrCat(
        "a scheduler ended by ",
        ktstr::v1::SchedulerExitKind_Name(expectation.scheduler_exit())));
  }
  return absl::StrJoin(wanted, " and ");
}

// How the findings differ from what was expected; empty when they do not.
std::string Difference(const Expectation& expectation, SchedulerExitKind exit,
                       const std::vector<Finding>& findings) {
  for (int kind : expectation.findings()) {
    auto is_it = [kind](const Finding& f) { return f.kind() == kind; };
    if (std::none_of(findings.begin(), findings.end(), is_it)) {
      return absl::StrCat(Name(kind), " was not found");
    }
  }
  if (expectation.scheduler_exit() != ktstr::v1::EXIT_UNSPECIFIED &&
      expectation.scheduler_exit() != exit) {
    return absl::StrCat("the kernel said ", ExitName(exit));
  }
  for (const Finding& finding : findings) {
    if (finding.is_expected()) continue;
    return absl::StrCat("found was ", Name(finding.kind()), ": ",
                        finding.message());
  }
  return "";
}

}  // namespace

void ApplyExpectation(const Expectation& expectation, SchedulerExitKind exit,
                      Classification* judged) {
  const bool asks_exit =
      expectation.scheduler_exit() != ktstr::v1::EXIT_UNSPECIFIED;
  if (expectation.findings().empty() && !asks_exit) return;
  if (judged->outcome != ktstr::v1::PASS &&
      judged->outcome != ktstr::v1::FAIL) {
    return;
  }
  for (Finding& finding : judged->findings) {
    finding.set_is_expected(Contains(expectation.findings(), finding.kind()) ||
                            Contains(expectation.also(), finding.kind()) ||
                            (asks_exit && IsByExit(finding.kind())));
  }
  const std::string difference =
      judged->outcome == ktstr::v1::PASS
          ? "the test passed"
          : Difference(expectation, exit, judged->findings);
  if (difference.empty()) {
    judged->outcome = ktstr::v1::PASS;
    judged->reason = absl::StrCat("as expected: ", judged->reason);
    return;
  }
  judged->outcome = ktstr::v1::FAIL;
  judged->reason =
      absl::StrCat("expected ", Describe(expectation), ", but ", difference);
  Finding finding;
  finding.set_kind(ktstr::v1::NOT_AS_EXPECTED);
  finding.set_message(judged->reason);
  judged->findings.insert(judged->findings.begin(), std::move(finding));
}

}  // namespace ktstr::hostd
