// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Benchmarks under the scheduler under test: docs/writing-tests/payloads.md.
// Needs hackbench and cyclictest where it is submitted (Debian: rt-tests).
#include "ktstr/ktstr.h"
#include "ktstr/payloads/cyclictest.h"
#include "ktstr/payloads/hackbench.h"

namespace {

using namespace ktstr;
using namespace std::chrono_literals;
using payloads::kCyclictest;
using payloads::kHackbench;

// One program, to its end.
KTSTR_TEST(messages, .payload = &kHackbench) {
  absl::StatusOr<PayloadResult> hackbench = ctx.payload(kHackbench)
                                                .args({"-g", "2", "-l", "100"})
                                                .check(PCheck::max("time", 20))
                                                .run();
  if (!hackbench.ok()) return hackbench.status();
  if (std::optional<double> time = hackbench->metric("time")) {
    ctx.record("messages_per_s", 2 * 20 * 20 * 100 / *time, "1/s",
               Polarity::higher_better());
  }
  return pass();  // what checks found is in the verdict already
}

// One that measures while others work: it wakes up from sleep beside workers
// in a cgroup of their own, and is stopped with the scenario.
KTSTR_TEST(wake_ups_under_load, .duration = 3s, .payload = &kCyclictest) {
  return run_steps(
      ctx, {Step{}
                .cgroup(Cgroup{"load"}.workers(4))
                .cgroup(Cgroup{"latency"}.payload(kCyclictest, {"-t", "1"}))});
}

// Ops, for one that is to begin and end within the scenario.
KTSTR_TEST(burst_of_messages, .duration = 3s, .payload = &kHackbench) {
  return run(ctx, Backdrop{}.cgroup(Cgroup{"load"}.workers(2)),
             {Step{}
                  .op(Op::run_payload(kHackbench, {"-g", "1", "-l", "50"}))
                  .op(Op::wait_payload(kHackbench))
                  .hold(500ms)});
}

}  // namespace
