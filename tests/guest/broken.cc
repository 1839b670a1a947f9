// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Tests that end badly, each in its own way; end-to-end tests assert what the
// fleet makes of them.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;

// Takes away what protects ordinary tasks from a spinning real-time one: the
// limit on real-time time, and the fair class's reserved server where the
// kernel has one (debugfs is not always there, hence the gap limit below the
// server's period).
absl::Status DropRealTimeLimits(int cpu) {
  std::string server =
      absl::StrCat("/sys/kernel/debug/sched/fair_server/cpu", cpu, "/runtime");
  if (FileExists(server)) WriteExisting(server, "0").IgnoreError();
  return WriteExisting("/proc/sys/kernel/sched_rt_runtime_us", "-1");
}

// FAIL (Stuck or Starved): a SCHED_FIFO hog shares a CPU with a normal worker.
KTSTR_TEST(rt_hog_starves, .topology = {.cores = 4},
           .constraints = {.min_cpus = 2}, .duration = 2s,
           .checks = {.max_gap_ms = 400}) {
  const int cpu = ctx.topology().all_cpus().back();
  if (absl::Status status = DropRealTimeLimits(cpu); !status.ok()) {
    return status;
  }
  return run_cgroups(
      ctx, {Cgroup{"cg_0"}
                .cpus(CpuSet::exact({cpu}))
                .workers(1)
                .work(Work{}.workers(1).policy(SchedPolicy::fifo(1)))});
}

// ERROR: the test binary dies in the middle of the body.
KTSTR_TEST(crashes) { abort(); }

// ERROR: the body says that it cannot do what it wanted.
KTSTR_TEST(body_error) {
  return absl::NotFoundError("the file this test needs is not in the guest");
}

// ERROR: exit code 0 but no verdict.
KTSTR_TEST(exits_silently) { _exit(0); }

// ERROR: never ends by itself.
KTSTR_TEST(hangs, .duration = 1s) {
  for (;;) pause();
}

// FAIL (KernelPanic).
KTSTR_TEST(panics_kernel) {
  if (absl::Status status = WriteExisting("/proc/sysrq-trigger", "c");
      !status.ok()) {
    return status;
  }
  return fail("the kernel survived sysrq c");
}

// SKIP.
KTSTR_TEST(skips) { return skip("this test never applies"); }

// PASS, with far more output than anybody wants.
KTSTR_TEST(floods_output) {
  const std::string line(1023, '#');
  for (int i = 0; i < 8 * 1024; ++i) printf("%s\n", line.c_str());
  return pass();
}

}  // namespace
