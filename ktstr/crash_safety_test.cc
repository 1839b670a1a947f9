// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The process of a suite may be killed at any instruction: no worker outlives
// it. (Cgroups are taken care of by who started it: tests/guest/engine.cc.)
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "ktstr/internal/cgroup_tree_fake.h"
#include "ktstr/internal/seed.h"
#include "ktstr/scenario.h"

namespace ktstr {
namespace {

using namespace std::chrono_literals;

constexpr int kKills = 100;
// A little more than the scenario takes on an idle machine.
constexpr uint64_t kLatestKillUs = 60'000;

// Workers of several kinds come, go, and are left to the end.
void RunScenario() {
  const GuestTopology topology =
      GuestTopology::FromDeclared(*Topology::Parse("1n2l4c1t"));
  internal::CgroupTreeFake cgroups;
  const Context context({.topology = &topology,
                         .cgroups = &cgroups,
                         .duration = 10ms,
                         .workers_per_cgroup = 2});
  run(context,
      Backdrop{}
          .cgroup(Cgroup{"spin"})
          .cgroup(Cgroup{"wait"}.type(WorkType::futex_ping_pong()))
          .cgroup(Cgroup{"fork"}.type(WorkType::fork_exit())),
      {Step{}.cgroup(Cgroup{"sleep"}.type(WorkType::bursty())).hold(5ms),
       Step{}
           .op(Op::add_cgroup("a"))
           .op(Op::spawn("a", Work{}.workers(3)))
           .op(Op::remove_cgroup("a"))
           .hold(Hold::loop(2ms)),
       Step{}.op(Op::spawn_host(Work{})).hold(5ms)},
      Checks{.not_starved = false})
      .IgnoreError();
}

uint64_t Seed() {
  if (const char* given = getenv("KTSTR_CRASH_SEED")) {
    return strtoull(given, nullptr, 10);
  }
  uint64_t seed = 0;
  return getrandom(&seed, sizeof(seed), 0) == sizeof(seed) ? seed : 1;
}

void WaitUs(uint64_t us) {
  const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(us * 1000)};
  ppoll(nullptr, 0, &time, nullptr);
}

// Reaps whatever is left of a suite until there is nobody; how many were.
int AwaitNobody() {
  // Without SA_RESTART the alarm ends the wait below.
  struct sigaction interrupt = {};
  interrupt.sa_handler = [](int) {};
  sigaction(SIGALRM, &interrupt, nullptr);
  alarm(30);
  int reaped = 0;
  while (waitpid(-1, nullptr, 0) > 0) ++reaped;
  const bool is_nobody_left = errno == ECHILD;
  alarm(0);
  EXPECT_TRUE(is_nobody_left) << "workers outlive their suite by 30 s";
  return reaped;
}

TEST(CrashSafetyTest, NoWorkerOutlivesASuiteThatIsKilledAnywhere) {
  // What the suite leaves behind becomes a child of this process.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  const uint64_t seed = Seed();
  printf("KTSTR_CRASH_SEED=%llu\n", static_cast<unsigned long long>(seed));
  internal::SeededStream random(seed);
  int killed = 0;
  int orphans = 0;
  for (int i = 0; i < kKills; ++i) {
    const pid_t suite = fork();
    ASSERT_GE(suite, 0);
    if (suite == 0) {
      RunScenario();
      _exit(0);
    }
    WaitUs(random.Below(kLatestKillUs));
    kill(suite, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(suite, &status, 0), suite);
    killed += WIFSIGNALED(status) ? 1 : 0;
    orphans += AwaitNobody();
    ASSERT_FALSE(HasFailure()) << "kill " << i << " of seed " << seed;
  }
  // The kills did hit scenarios with workers in them.
  EXPECT_GT(killed, kKills / 4);
  EXPECT_GT(orphans, kKills / 4);
}

}  // namespace
}  // namespace ktstr
