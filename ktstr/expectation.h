// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_EXPECTATION_H_
#define KTSTR_KTSTR_EXPECTATION_H_

#include <optional>

#include "ktstr/fixed_list.h"
#include "ktstr/verdict.h"

namespace ktstr {

// How the kernel ends a scheduler. Numbers are those of
// ktstr.v1.SchedulerExitKind (internal/listing.cc asserts it).
enum class SchedulerExit : int {
  kUnregisteredByUser = 2,    // detached by its process, or with it
  kUnregisteredByBpf = 3,     // scx_bpf_exit()
  kUnregisteredByKernel = 4,  // such as a CPU that came or went
  kSysRq = 5,
  kError = 6,     // it did what a scheduler must not do
  kErrorBpf = 7,  // scx_bpf_error()
  kStall = 8,     // a runnable task did not run
};

// A test that is to fail, and how. It passes when everything expected was
// found and nothing else; a test that breaks (its body returned an error), a
// skip and trouble of the machinery stay what they are.
//
//   KTSTR_TEST(quota_is_noticed, .expect = expect(FindingKind::kStuck)) {...}
//   KTSTR_TEST(stalls, .scheduler = &kStalls,
//              .expect = expect_scheduler_exit(SchedulerExit::kStall)) {...}
class Expectation {
 public:
  // To pass.
  constexpr Expectation() = default;

  // Another that must be found.
  constexpr Expectation and_also(FindingKind kind) const {
    Expectation copy = *this;
    copy.findings_.Append(kind);
    return copy;
  }
  // One that may be found beside them.
  constexpr Expectation tolerate(FindingKind kind) const {
    Expectation copy = *this;
    copy.tolerated_.Append(kind);
    return copy;
  }

  constexpr bool is_to_pass() const { return findings_.empty() && !exit_; }
  constexpr const FixedList<FindingKind, 8>& findings() const {
    return findings_;
  }
  constexpr const FixedList<FindingKind, 8>& tolerated() const {
    return tolerated_;
  }
  constexpr std::optional<SchedulerExit> scheduler_exit() const {
    return exit_;
  }

 private:
  friend constexpr Expectation expect_scheduler_exit(SchedulerExit kind);

  FixedList<FindingKind, 8> findings_;
  FixedList<FindingKind, 8> tolerated_;
  std::optional<SchedulerExit> exit_;
};

constexpr Expectation expect(FindingKind kind) {
  return Expectation{}.and_also(kind);
}

// What workers suffer by such an end (starved, stuck, unfair, a benchmark
// missed) is tolerated.
constexpr Expectation expect_scheduler_exit(SchedulerExit kind) {
  Expectation expectation;
  expectation.exit_ = kind;
  return expectation;
}

namespace internal {

// Whether a test can fail in this way: a broken test and a threshold that could
// not be judged are never what was meant.
constexpr bool IsExpectable(FindingKind kind) {
  return kind != FindingKind::kUnspecified &&
         kind != FindingKind::kTestBodyError &&
         kind != FindingKind::kNotEvaluated;
}

constexpr bool AreExpectable(const FixedList<FindingKind, 8>& kinds) {
  for (FindingKind kind : kinds) {
    if (!IsExpectable(kind)) return false;
  }
  return true;
}

}  // namespace internal
}  // namespace ktstr

#endif  // KTSTR_KTSTR_EXPECTATION_H_
