// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Declarations that must not compile: compiled once for each CASE, and once
// with none, which must. The compiler's first error is to hold the text of
// "says".
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;

constexpr SchedulerDef kNoProgram{"plain"};
[[maybe_unused]] constexpr SchedulerDef kKarg =
    SchedulerDef{"mine", "scx_mine"}.karg("console=ttyS1");

// Checks a metric of output that is not read.
[[maybe_unused]] constexpr PayloadDef kNoMetrics =
    PayloadDef{"p"}.check(PCheck::min("a", 1));
[[maybe_unused]] constexpr PayloadDef kPayload{"p"};
[[maybe_unused]] constexpr PayloadDef kNamesake = PayloadDef{"p"}.program("q");

#if CASE == 1
// says: every topology axis must be > 0
KTSTR_TEST(t, .topology = {.llcs = 0}) { return pass(); }
#elif CASE == 2
// says: llcs must be divisible by numa_nodes
KTSTR_TEST(t, .topology = {.numa_nodes = 2, .llcs = 3}) { return pass(); }
#elif CASE == 3
// says: min_llcs must not exceed max_llcs (default 12)
KTSTR_TEST(t, .constraints = {.min_llcs = 13}) { return pass(); }
#elif CASE == 4
// says: duration must be > 0
KTSTR_TEST(t, .duration = 0s) { return pass(); }
#elif CASE == 5
// says: a karg, sysctl, file or cgroup_parent of its scheduler
KTSTR_TEST(t, .scheduler = &kKarg) { return pass(); }
#elif CASE == 6
// says: extra_sched_args need a scheduler that is a program
KTSTR_TEST(t, .scheduler = &kNoProgram, .extra_sched_args = {"--x"}) {
  return pass();
}
#elif CASE == 7
// says: expect takes no kUnspecified, kTestBodyError or kNotEvaluated
KTSTR_TEST(t, .expect = expect(FindingKind::kTestBodyError)) { return pass(); }
#elif CASE == 8
// says: expect_scheduler_exit needs a scheduler that is a program
KTSTR_TEST(t, .scheduler = &kNoProgram,
           .expect = expect_scheduler_exit(SchedulerExit::kStall)) {
  return pass();
}
#elif CASE == 9
// says: require must be 1 to repeat
KTSTR_TEST(t, .repeat = 2, .require = 3) { return pass(); }
#elif CASE == 10
// says: quarantine needs a reason and a last day
KTSTR_TEST(t, .quarantine = {.reason = "issue 12", .until = "soon"}) {
  return pass();
}
#elif CASE == 11
// An unknown option.
// says: has no non-static data member named 'durration'
KTSTR_TEST(t, .durration = 5s) { return pass(); }
#elif CASE == 12
// A value of another kind.
// says: could not convert
KTSTR_TEST(t, .duration = 5) { return pass(); }
#elif CASE == 13
// The same in a built one.
// says: repeat must be 1 to 100
KTSTR_TEST(t, Options().repeat(0)) { return pass(); }
#elif CASE == 14
// More than there is room for.
// says: TooManyElements
constexpr FixedList<int, 2> kThree = {1, 2, 3};
#elif CASE == 15
// says: TwoMetricsOfOneName
constexpr PayloadDef kTwice = PayloadDef{"p"}.json().metric("a").metric("a");
#elif CASE == 16
// The same as initialisers.
// says: TwoMetricsOfOneName
constexpr PayloadDef kTwice = {.name = "p", .metrics = {{"a"}, {"b"}, {"a"}}};
#elif CASE == 17
// says: a payload of it breaks a rule of ktstr/payload.h
KTSTR_TEST(t, .payload = &kNoMetrics) { return pass(); }
#elif CASE == 18
// says: two payloads of it have one name
KTSTR_TEST(t, .payload = &kPayload, .workloads = {&kNamesake}) {
  return pass();
}
#elif CASE == 19
// says: bpf_map_write takes the end of a map's name
KTSTR_TEST(t, .bpf_map_write = {{".bss", 6, 1}}) { return pass(); }
#elif CASE == 20
// says: bpf_map_write needs a scheduler that is a program
KTSTR_TEST(t, .scheduler = &kNoProgram, .bpf_map_write = {{".bss", 4, 1}}) {
  return pass();
}
#else
KTSTR_TEST(t, .topology = {.llcs = 2}, .duration = 5s, .repeat = 2,
           .require = 1,
           .quarantine = {.reason = "issue 12", .until = "2027-01-31"}) {
  return pass();
}
#endif

}  // namespace
