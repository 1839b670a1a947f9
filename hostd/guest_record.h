// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_GUEST_RECORD_H_
#define KTSTR_HOSTD_GUEST_RECORD_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "hostd/text.h"
#include "proto/guest.pb.h"
#include "proto/outcome.pb.h"

namespace ktstr::hostd {

// What guestd's event stream told, folded into bounded memory.
//
// Trust: the guest may send anything in any order and for as long as it likes.
//        The first verdict, exit and failure count, and the last report, but
//        its marks stay once set; phases only of those that guestd may enter,
//        each once; logs keep their tail, a dump its beginning; lists stop
//        growing at their limit.
class GuestRecord {
 public:
  static constexpr size_t kLogBytes = 256 << 10;
  static constexpr size_t kSchedulerLogBytes = 1 << 20;
  static constexpr size_t kDumpBytes = 1 << 20;
  static constexpr int kMaxStimuli = 4096;
  static constexpr int kMaxListed = 512;  // findings, groups
  static constexpr int kMaxFrames = 64;   // of a backtrace
  static constexpr size_t kMaxRuns = 64;  // of a scheduler
  static constexpr int kMaxMeasurements = 384;
  static constexpr size_t kMaxText = 2048;  // bytes of one string

  GuestRecord()
      : test_log(kLogBytes),
        scheduler_log(kSchedulerLogBytes),
        kernel_log(kLogBytes) {}

  // `at` is when hostd read the event, on the monotonic clock.
  void Apply(const ktstr::v1::GuestEvent& event, absl::Duration at);

  // In order of arrival.
  std::vector<std::pair<ktstr::v1::Phase, absl::Duration>> phases;
  std::vector<ktstr::v1::Stimulus> stimuli;
  TailBuffer test_log;
  TailBuffer scheduler_log;
  TailBuffer kernel_log;
  std::string sched_ext_dump;  // its beginning
  std::optional<ktstr::v1::Verdict> verdict;
  std::optional<ktstr::v1::TestExit> test_exit;
  // The last report, but of several runs the first that was in trouble.
  std::optional<ktstr::v1::SchedulerReport> scheduler;
  // The last report of each run, by its number.
  std::map<int, ktstr::v1::SchedulerReport> scheduler_runs;
  std::optional<ktstr::v1::BpfPrograms> bpf_programs;
  std::optional<ktstr::v1::Finding> failure;
  bool is_finished = false;

 private:
  void ApplyScheduler(const ktstr::v1::SchedulerReport& report);
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_GUEST_RECORD_H_
