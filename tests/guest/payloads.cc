// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// External programs in a guest: busybox, which is packed along.
#include "base/status_macros.h"
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;

// Says where it runs at its beginning, behind a line that looks like a
// document.
constexpr PayloadDef kPlace =
    PayloadDef{"place"}
        .program("busybox")
        .json()
        .args({"sh", "-c",
               "echo '[info] starting'; "
               "echo \"{\\\"cgroup\\\": {\\\"is_cg_0\\\": "
               "$(busybox grep -c /cg_0 /proc/self/cgroup)}, "
               "\\\"answer\\\": 42}\""})
        .check(PCheck::exit_code(0))
        .metric("answer", Polarity::target(42), "units");

// Prints more than a pipe holds, and its result when it is asked to end.
constexpr PayloadDef kBackground =
    PayloadDef{"background"}
        .program("busybox")
        .json()
        .args({"sh", "-c",
               "trap 'echo \"{\\\"at_end\\\": 1}\"; exit 3' TERM; "
               "busybox yes | busybox head -c 200000 >&2; "
               "while :; do busybox sleep 0.05; done"})
        .check(PCheck::exit_code(0))
        .check(PCheck::exists("at_end"));

KTSTR_TEST(measures, .duration = 1s, .payload = &kPlace,
           .workloads = {&kBackground}) {
  ABSL_RETURN_IF_ERROR(ctx.cgroups().Create("cg_0").status());
  ABSL_ASSIGN_OR_RETURN(
      PayloadResult outside,
      ctx.payload(kPlace).check(PCheck::max("cgroup.is_cg_0", 0)).run());
  ABSL_ASSIGN_OR_RETURN(PayloadResult inside,
                        ctx.payload(kPlace)
                            .in_cgroup("cg_0")
                            .check(PCheck::min("cgroup.is_cg_0", 1))
                            .run());
  // Stopped at the end of the step.
  return run_cgroups(ctx, {Cgroup{"cg_1"}.workers(1).payload(kBackground)});
}

KTSTR_TEST(check_fails, .payload = &kPlace) {
  // The body knows nothing of it.
  ABSL_RETURN_IF_ERROR(
      ctx.payload(kPlace).check(PCheck::max("answer", 41)).run().status());
  return pass();
}

}  // namespace
