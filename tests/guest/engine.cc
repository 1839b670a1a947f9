// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the scenario engine does to cgroups, CPUs and schedulers, compared with
// what the kernel's own files say.
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
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

// PASS; one guest for all three.
KTSTR_TEST(cgroups_and_cpus, .topology = {.llcs = 1, .cores = 2},
           .duration = 1s) {
  std::string wrong;
  Verdict all;
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
               .label("verbose")}));
  if (!wrong.empty()) verdict.Merge(fail(wrong));
  return verdict;
}

}  // namespace
