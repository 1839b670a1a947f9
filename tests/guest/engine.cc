// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the scenario engine does to cgroups, CPUs and schedulers, compared with
// what the kernel's own files say.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;
using namespace std::chrono_literals;

constexpr char kCgroups[] = "/sys/fs/cgroup/ktstr/";
// What is judged is said by each test; shares are unfair on purpose.
constexpr Checks kNoChecks = {.not_starved = false};

std::string Read(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, 1 << 16);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text))
                   : std::string(text.status().message());
}

// A step that begins by looking whether `path` has `text`; adds to `wrong` what
// it has instead.
Step Expecting(std::string path, std::string text, std::string& wrong) {
  return Step{}.setup([=, &wrong](const Context&) {
    std::string content = Read(path);
    if (!absl::StrContains(content, text)) {
      absl::StrAppend(&wrong, path, " is \"", content, "\", not \"", text,
                      "\"; ");
    }
    return std::vector<Cgroup>();
  });
}

const GroupStats& Of(const Verdict& verdict, const std::string& cgroup) {
  static const GroupStats& none = *new GroupStats();
  for (const GroupStats& group : verdict.groups) {
    if (group.cgroup == cgroup) return group;
  }
  return none;
}

// Three share CPU 1 by weight, one has a tenth of CPU 0 to itself.
absl::StatusOr<Verdict> Shares(const Context& ctx, std::string& wrong) {
  auto one = [](const char* name, int cpu) {
    return Cgroup{name}.cpus(CpuSet::exact({cpu})).workers(1);
  };
  ABSL_ASSIGN_OR_RETURN(
      Verdict verdict,
      run(ctx,
          Backdrop{}
              .cgroup(one("light", 1).weight(100))
              .cgroup(one("heavy", 1).weight(300))
              .cgroup(one("idle", 1).idle())
              .cgroup(one("capped", 0).cpu_max(10ms, 100ms)),
          {Expecting(absl::StrCat(kCgroups, "heavy/cpu.weight"), "300", wrong)
               .hold(2s)},
          kNoChecks));
  const double light = Of(verdict, "light").iterations;
  const double ratio = Of(verdict, "heavy").iterations / light;
  const double idle = Of(verdict, "idle").iterations / light;
  if (!(ratio > 2 && ratio < 4.5)) {
    absl::StrAppendFormat(&wrong, "weight 300 did %.2f times of 100; ", ratio);
  }
  if (!(idle < 0.2)) {
    absl::StrAppendFormat(&wrong, "idle did %.2f times of weight 100; ", idle);
  }
  const GroupStats& capped = Of(verdict, "capped");
  if (!(capped.throttled_ms.value_or(0) > 500 &&
        capped.avg_off_cpu_pct.value_or(0) > 75)) {
    absl::StrAppendFormat(&wrong, "capped: %.0f ms throttled, off-CPU %.0f%%; ",
                          capped.throttled_ms.value_or(-1),
                          capped.avg_off_cpu_pct.value_or(-1));
  }
  return verdict;
}

// Frozen for longer than the gap allows, which is nobody's fault.
absl::StatusOr<Verdict> Frozen(const Context& ctx, std::string& wrong) {
  const std::string events = absl::StrCat(kCgroups, "a/b/cgroup.events");
  ABSL_ASSIGN_OR_RETURN(
      Verdict verdict,
      run(ctx, Backdrop{}.cgroup(Cgroup{"a/b"}.workers(2)),
          {Expecting(events, "frozen 0", wrong).hold(200ms),
           Expecting(events, "frozen 1", wrong)
               .op(Op::freeze("a"))
               .hold(1500ms),
           Step{}.op(Op::thaw("a")).hold(200ms),
           // Collected while frozen.
           Expecting(events, "frozen 1", wrong).op(Op::freeze("a")).hold(10ms)},
          Checks{.max_gap_ms = 1000}));
  const double frozen = Of(verdict, "a/b").frozen_ms.value_or(0);
  if (!(frozen >= 1510)) {
    absl::StrAppendFormat(&wrong, "frozen for %.0f ms only; ", frozen);
  }
  return verdict;
}

// A cpuset that loses its only CPU falls back to what its parent has.
absl::StatusOr<Verdict> Hotplug(const Context& ctx, std::string& wrong) {
  const std::string online = "/sys/devices/system/cpu/online";
  ABSL_ASSIGN_OR_RETURN(
      Verdict verdict,
      run(ctx, Backdrop{}.cgroup(Cgroup{"a"}.cpus(CpuSet::exact({1}))),
          {Step{}.hold(100ms),
           Expecting(online, "0", wrong).op(Op::offline_cpu(1)).hold(300ms),
           Expecting(online, "0-1", wrong).op(Op::online_cpu(1)).hold(300ms),
           Step{}.op(Op::offline_cpu(1)).hold(10ms)},
          Checks{
              .isolation = true, .max_gap_ms = 2000, .max_spread_pct = 100}));
  if (Read(online) != "0-1") {
    absl::StrAppend(&wrong, "CPUs ", Read(online), " are online at the end; ");
  }
  return verdict;
}

// Until the kernel says that nobody is left in or below `cgroup`.
bool AwaitNobody(const std::string& cgroup) {
  absl::StatusOr<UniqueFd> events =
      OpenFile(absl::StrCat(cgroup, "/cgroup.events"), O_RDONLY);
  if (!events.ok()) return false;
  for (;;) {
    lseek(events->get(), 0, SEEK_SET);
    absl::StatusOr<std::string> text = ReadAll(events->get(), 4096);
    if (text.ok() && absl::StrContains(*text, "populated 0")) return true;
    pollfd changed{.fd = events->get(), .events = POLLPRI, .revents = 0};
    if (poll(&changed, 1, 20'000) <= 0) return false;
  }
}

// The suite, killed somewhere in the test "victim": nobody outlives it, and its
// cgroups can be removed by who started it.
absl::Status KillOne(const Context& ctx, uint64_t after_us) {
  const std::string root = absl::StrCat(kCgroups, "victim");
  ABSL_RETURN_IF_ERROR(ctx.cgroups().SetUp());
  ABSL_RETURN_IF_ERROR(ctx.cgroups().Create("victim").status());
  ABSL_ASSIGN_OR_RETURN(UniqueFd null, OpenFile("/dev/null", O_WRONLY));
  ABSL_ASSIGN_OR_RETURN(
      Subprocess suite,
      Subprocess::Start(
          {.argv = {"/proc/self/exe", "--ktstr-run", "victim"},
           .extra_env = {"KTSTR_FRAMES_FD=3", "KTSTR_DURATION_MS=200",
                         absl::StrCat("KTSTR_CGROUP_ROOT=", root)},
           .inherited_fds = {{null.get(), 3}}}));
  pollfd ended{.fd = suite.pidfd(), .events = POLLIN, .revents = 0};
  poll(&ended, 1, static_cast<int>(after_us / 1000));
  suite.Kill(SIGKILL).IgnoreError();
  ABSL_RETURN_IF_ERROR(suite.Wait().status());
  // A child of fork_exit that froze before its first instruction is told of
  // nobody's death; it ends by itself, once it may run.
  if (const std::string deep = JoinPath(root, "deep"); FileExists(deep)) {
    ABSL_RETURN_IF_ERROR(WriteExisting(JoinPath(deep, "cgroup.freeze"), "0"));
  }
  if (!AwaitNobody(root)) {
    return absl::InternalError(
        absl::StrCat("workers outlive a suite killed after ", after_us, " us"));
  }
  ctx.cgroups().RemoveAll();
  if (!FileExists(root)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cgroups of a suite killed after ",
                                          after_us, " us cannot be removed"));
}

// At `count` points that the seed of the attempt chooses.
absl::Status Kills(const Context& ctx, int count) {
  std::mt19937_64 random(ctx.seed());
  for (int i = 0; i < count; ++i) {
    ABSL_RETURN_IF_ERROR(KillOne(ctx, random() % 400'000));
  }
  ctx.record("kills", count, "", Polarity::higher_better());
  return ctx.cgroups().SetUp();
}

// What KillOne() kills; passes when nobody does.
KTSTR_TEST(victim, .duration = 200ms, .ignored_by_default = true) {
  return run(
      ctx,
      Backdrop{}
          .cgroup(Cgroup{"spin"}.cpus(CpuSet::exact({0})).workers(2))
          .cgroup(Cgroup{"deep/fork"}.type(WorkType::fork_exit()))
          .cgroup(Cgroup{"wait"}.type(WorkType::futex_ping_pong())),
      {Step{}.op(Op::freeze("deep")).op(Op::set_weight("spin", 50)).hold(50ms),
       Step{}
           .op(Op::add_cgroup("x/y"))
           .op(Op::spawn("x/y", Work{}))
           .op(Op::remove_cgroup("x/y"))
           .op(Op::remove_cgroup("x"))
           .hold(Hold::loop(10ms))},
      kNoChecks);
}

// PASS. A minute or two: ktstrctl submit out/engine --filter ktstr/kills
KTSTR_TEST(kills, .topology = {.llcs = 1, .cores = 2}, .duration = 120s,
           .ignored_by_default = true) {
  ABSL_RETURN_IF_ERROR(Kills(ctx, 100));
  return pass();
}

// PASS; one guest for all of them.
KTSTR_TEST(cgroups_and_cpus, .topology = {.llcs = 1, .cores = 2},
           .duration = 1s) {
  std::string wrong;
  Verdict all;
  ABSL_RETURN_IF_ERROR(Kills(ctx, 5));
  for (auto* part : {Shares, Frozen, Hotplug}) {
    ABSL_ASSIGN_OR_RETURN(Verdict verdict, part(ctx, wrong));
    all.Merge(std::move(verdict));
  }
  if (!wrong.empty()) all.Merge(fail(wrong));
  return all;
}

// PASS under a scheduler that is a program: detached, attached and replaced by
// the test itself.
KTSTR_TEST(restarts, .topology = {.llcs = 1, .cores = 2}, .duration = 1s) {
  std::string wrong;
  const std::string state = "/sys/kernel/sched_ext/state";
  ABSL_ASSIGN_OR_RETURN(
      Verdict verdict,
      run(ctx, Backdrop{}.cgroup(Cgroup{"a"}),
          {Expecting(state, "enabled", wrong).hold(200ms).label("ours"),
           Expecting(state, "disabled", wrong)
               .op(Op::detach_scheduler())
               .hold(200ms)
               .label("kernel"),
           Expecting(state, "enabled", wrong)
               .op(Op::attach_scheduler())
               .hold(200ms)
               .label("ours again"),
           Expecting(state, "enabled", wrong)
               .op(Op::replace_scheduler({"-v"}))
               .hold(200ms)
               .label("verbose")},
          std::nullopt,
          {Relative{}
               .metric(Metric::kIterationRate)
               .cgroup("a")
               .of("ours again")
               .against("kernel")
               .at_least(0.2),
           Relative{}
               .metric(Metric::kWorkRate)
               .of("verbose")
               .against("ours")
               .at_least(0.2)
               .at_most(5)}));
  if (!wrong.empty()) verdict.Merge(fail(wrong));
  return verdict;
}

}  // namespace
