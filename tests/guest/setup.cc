// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Whether a guest is set up as a test and its scheduler declare.
#include <cstddef>
#include <string>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "bpf/fixture_programs.skel.h"
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;

constexpr uint64_t kMaxBytes = 1 << 16;
constexpr char kFeatures[] = "/sys/kernel/debug/sched/features";

// Adds to `missing` what a file of the guest should have and does not.
absl::Status Expect(const std::string& path, absl::string_view text,
                    std::string& missing) {
  ABSL_ASSIGN_OR_RETURN(std::string content, ReadFile(path, kMaxBytes));
  if (!absl::StrContains(content, text)) {
    absl::StrAppend(&missing, path, " lacks \"", text, "\"; ");
  }
  return absl::OkStatus();
}

constexpr SchedulerDef kTuned = SchedulerDef("tuned")
                                    .sysctl("kernel.sched_schedstats", "0")
                                    .sysctl("kernel.sched_schedstats", "1")
                                    .karg("sched_verbose")
                                    .karg("ktstr_example=a,b")
                                    .cgroup_parent("/cells/inner")
                                    .enable(kFeatures, "NO_WAKEUP_PREEMPTION")
                                    .disable(kFeatures, "WAKEUP_PREEMPTION");

// PASS: all of it is there, and the test's cgroups are below the parent.
KTSTR_TEST(is_as_declared, .scheduler = &kTuned, .duration = 500ms) {
  std::string missing;
  ABSL_RETURN_IF_ERROR(
      Expect("/proc/sys/kernel/sched_schedstats", "1", missing));
  ABSL_RETURN_IF_ERROR(
      Expect("/proc/cmdline", " sched_verbose ktstr_example=a,b ", missing));
  ABSL_RETURN_IF_ERROR(Expect(kFeatures, "NO_WAKEUP_PREEMPTION", missing));
  const std::string cells = "/sys/fs/cgroup/cells/inner/cgroup.controllers";
  ABSL_RETURN_IF_ERROR(Expect(cells, "cpuset cpu", missing));
  ABSL_RETURN_IF_ERROR(ctx.cgroups().Create("probe").status());
  ABSL_RETURN_IF_ERROR(Expect("/sys/fs/cgroup/cells/inner/probe/cgroup.type",
                              "domain", missing));
  if (!missing.empty()) return fail(missing);
  return run_cgroups(ctx, {Cgroup{"cg_0"}, Cgroup{"cg_1"}});
}

constexpr SchedulerDef kUnknownSysctl =
    SchedulerDef("unknown-sysctl").sysctl("kernel.no_such_thing", "1");

// ERROR: the kernel does not have it.
KTSTR_TEST(unknown_sysctl, .scheduler = &kUnknownSysctl) { return pass(); }

constexpr SchedulerDef kRefused =
    SchedulerDef("refused").enable(kFeatures, "NO_SUCH_FEATURE");

// ERROR: the file does not take it.
KTSTR_TEST(refused_write, .scheduler = &kRefused) { return pass(); }

constexpr SchedulerDef kSaysArguments =
    SchedulerDef("says_arguments", "says_arguments")
        .config_file("says_arguments.conf")
        .cgroup_parent("/cells")
        .arg("--spaces and 'single'")
        .arg("\"double\"\nsecond line")
        .arg("")
        .flag({.name = "loud", .args = {"--loud", "very much"}});

// FAIL, because the program is none that attaches: its log has its arguments.
KTSTR_TEST(arguments_are_kept, .scheduler = &kSaysArguments,
           .required_flags = {"loud"}, .extra_sched_args = {"--extra $HOME"}) {
  return pass();
}

// It would crash in a day.
constexpr SchedulerDef kPatient = SchedulerDef("scx_fixture", "scx_fixture")
                                      .arg("--crash")
                                      .arg("--after")
                                      .arg("86400");

using FixtureBss = std::remove_pointer_t<decltype(fixture_programs::bss)>;

// PASS, because it does so at once: a write has arrived.
KTSTR_TEST(map_write_arrives, .scheduler = &kPatient, .duration = 2s,
           .expect = expect_scheduler_exit(SchedulerExit::kErrorBpf),
           .bpf_map_write = {
               {".bss", offsetof(FixtureBss, misbehaves_now), 1}}) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}});
}

// ERROR: it declares what cannot be, beside what can.
KTSTR_TEST(map_write_fails, .scheduler = &kPatient,
           .bpf_map_write = {
               {".nosuch", 0, 1},
               {".rodata", 0, 1},
               {"data", 0, 1},
               {".bss", 1 << 20, 1},
               {"exits", 0, 1},
               {".bss", offsetof(FixtureBss, misbehaves_now), 0}}) {
  return fail("the test ran");
}

}  // namespace
