// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_OPTIONS_H_
#define KTSTR_KTSTR_OPTIONS_H_

#include <chrono>
#include <string_view>

#include "ktstr/test.h"

namespace ktstr {

// TestOptions in any order, for those who would rather not look theirs up:
//
//   KTSTR_TEST(llc_split, Options().duration(5s).topology({.llcs = 2})) {...}
//
// Fields mean what they mean in TestOptions; one that is set again is replaced.
struct Options : TestOptions {
  constexpr Options& scheduler(const SchedulerDef* value) {
    return TestOptions::scheduler = value, *this;
  }
  constexpr Options& topology(const DeclaredTopology& value) {
    return TestOptions::topology = value, *this;
  }
  constexpr Options& nodes(const FixedList<NodeDef, 8>& value) {
    return TestOptions::nodes = value, *this;
  }
  constexpr Options& distances(const FixedList<int, 64>& value) {
    return TestOptions::distances = value, *this;
  }
  constexpr Options& constraints(const DeclaredConstraints& value) {
    return TestOptions::constraints = value, *this;
  }
  constexpr Options& memory_mib(int value) {
    return TestOptions::memory_mib = value, *this;
  }
  constexpr Options& required_flags(
      const FixedList<std::string_view, 16>& value) {
    return TestOptions::required_flags = value, *this;
  }
  constexpr Options& excluded_flags(
      const FixedList<std::string_view, 16>& value) {
    return TestOptions::excluded_flags = value, *this;
  }
  constexpr Options& duration(std::chrono::nanoseconds value) {
    return TestOptions::duration = value, *this;
  }
  constexpr Options& workers_per_cgroup(int value) {
    return TestOptions::workers_per_cgroup = value, *this;
  }
  constexpr Options& checks(const Checks& value) {
    return TestOptions::checks = value, *this;
  }
  constexpr Options& expect(const Expectation& value) {
    return TestOptions::expect = value, *this;
  }
  constexpr Options& repeat(int value) {
    return TestOptions::repeat = value, *this;
  }
  constexpr Options& require(int value) {
    return TestOptions::require = value, *this;
  }
  constexpr Options& quarantine(const Quarantine& value) {
    return TestOptions::quarantine = value, *this;
  }
  constexpr Options& ignored_by_default() {
    return TestOptions::ignored_by_default = true, *this;
  }
  constexpr Options& cleanup_budget(std::chrono::nanoseconds value) {
    return TestOptions::cleanup_budget = value, *this;
  }
  constexpr Options& performance_mode() {
    return TestOptions::performance_mode = true, *this;
  }
  constexpr Options& extra_sched_args(
      const FixedList<std::string_view, 16>& value) {
    return TestOptions::extra_sched_args = value, *this;
  }
  constexpr Options& payload(const PayloadDef* value) {
    return TestOptions::payload = value, *this;
  }
  constexpr Options& workloads(const FixedList<const PayloadDef*, 8>& value) {
    return TestOptions::workloads = value, *this;
  }
  constexpr Options& extra_include_files(
      const FixedList<std::string_view, 16>& value) {
    return TestOptions::extra_include_files = value, *this;
  }
  constexpr Options& bpf_map_write(
      const FixedList<BpfMapWrite, kMaxMapWrites>& value) {
    return TestOptions::bpf_map_write = value, *this;
  }
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_OPTIONS_H_
