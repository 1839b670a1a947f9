// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/suite_program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "ktstr/internal/cgroup_tree.h"
#include "ktstr/internal/cpu_hotplug.h"
#include "ktstr/internal/listing.h"
#include "ktstr/internal/registry.h"
#include "ktstr/internal/run_settings.h"
#include "ktstr/internal/runner.h"
#include "ktstr/internal/scheduler_control.h"
#include "ktstr/topology.h"

namespace ktstr::internal {
namespace {

constexpr char kController[] = "ktstrctl";
constexpr char kCgroupRoot[] = "/sys/fs/cgroup/ktstr";
// How long the kernel may take over a write into a cgroup file; a cpuset waits
// until every CPU concerned has run, which on a slow host takes its time.
constexpr absl::Duration kWrite = absl::Seconds(2);
constexpr absl::Duration kSlowWrite = absl::Seconds(10);

std::string SelfPath() {
  char path[4096];
  ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  return size > 0 ? std::string(path, size) : std::string();
}

std::string SuiteName() { return std::string(Basename(SelfPath())); }

int Fail(int code, const absl::Status& status) {
  fprintf(stderr, "%s: %s\n", SuiteName().c_str(),
          std::string(status.message()).c_str());
  return code;
}

int List() {
  absl::StatusOr<std::string> suite = DescribeSuite(SuiteName(), LinkedTests());
  if (!suite.ok()) return Fail(kExitUsage, suite.status());
  absl::Status status = WriteAll(STDOUT_FILENO, *suite);
  if (!status.ok()) return Fail(kExitMiss, status);
  return kExitOk;
}

std::string TestNames() {
  std::string names;
  for (const TestEntry* test : LinkedTests()) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", std::string(test->name));
  }
  return names;
}

// The guest's init may ignore SIGCHLD, which would lose how workers end.
void ResetSignals() {
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
}

// All of them, those of cgroups below included.
void KillTasks(const std::string& cgroup) {
  absl::StatusOr<UniqueFd> file =
      OpenFile(JoinPath(cgroup, "cgroup.kill"), O_WRONLY);
  if (file.ok()) WriteAll(file->get(), "1").IgnoreError();
}

int RunOne(const std::string& name) {
  ResetSignals();
  if (absl::Status status = CheckTests(LinkedTests()); !status.ok()) {
    return Fail(kExitUsage, status);
  }
  const TestEntry* test = FindTest(LinkedTests(), name);
  if (test == nullptr) {
    return Fail(kExitUsage, absl::NotFoundError(absl::StrCat(
                                "there is no test \"", name,
                                "\"; the suite has: ", TestNames())));
  }
  absl::StatusOr<RunSettings> settings = ReadRunSettings(getenv);
  if (!settings.ok()) return Fail(kExitUsage, settings.status());
  absl::StatusOr<GuestTopology> topology = GuestTopology::Read();
  if (!topology.ok()) return Fail(kExitMiss, topology.status());
  std::unique_ptr<CgroupTree> cgroups = MakeKernelCgroupTree(
      {.root = settings->cgroup_root.value_or(kCgroupRoot),
       .write_timeout = settings->is_overcommitted ? kSlowWrite : kWrite,
       .owns_root = !settings->cgroup_root.has_value(),
       .has_cpu_controller = settings->has_cpu_controller});
  if (absl::Status status = cgroups->SetUp(); !status.ok()) {
    return Fail(kExitMiss, status);
  }
  std::unique_ptr<CpuHotplug> cpus = MakeKernelCpuHotplug(kSlowWrite);
  std::unique_ptr<SchedulerControl> scheduler;
  if (settings->control_fd) {
    scheduler =
        MakeSchedulerControl(*settings->control_fd, settings->sched_pid);
  }
  absl::Status status = RunTest(*test, *settings,
                                {.topology = &*topology,
                                 .cgroups = cgroups.get(),
                                 .cpus = cpus.get(),
                                 .scheduler = scheduler.get()});
  return status.ok() ? kExitOk : Fail(kExitMiss, status);
}

// For whoever ran a test here and killed it.
int CleanUp() {
  if (!FileExists(kCgroupRoot)) {
    printf("nothing to clean up\n");
    return kExitOk;
  }
  // Kernels before 5.14 do not have the file: tasks are moved out then.
  KillTasks(kCgroupRoot);
  MakeKernelCgroupTree({.root = kCgroupRoot, .write_timeout = kSlowWrite})
      ->RemoveAll();
  if (FileExists(kCgroupRoot)) {
    return Fail(kExitMiss, absl::UnavailableError(absl::StrCat(
                               kCgroupRoot, " could not be removed")));
  }
  printf("removed %s\n", kCgroupRoot);
  return kExitOk;
}

int Help() {
  printf(
      "%s: a ktstr test suite.\n"
      "  (anything)          submit it: `ktstrctl submit SELF ARGS...`; see\n"
      "                      `ktstrctl submit --help` for ARGS\n"
      "  --ktstr-list        write the suite description (protocol buffer)\n"
      "  --ktstr-run TEST    run one test on this machine; for guests\n"
      "  --ktstr-cleanup     end and remove what a killed test left here\n"
      "Tests: %s\n",
      SuiteName().c_str(), TestNames().c_str());
  return kExitOk;
}

bool IsProgram(const std::string& path) {
  return access(path.c_str(), X_OK) == 0;
}

std::optional<std::string> FindController() {
  if (const char* named = getenv("KTSTR_CTL"); named != nullptr) return named;
  std::string beside = JoinPath(Dirname(SelfPath()), kController);
  if (IsProgram(beside)) return beside;
  const char* path = getenv("PATH");
  for (absl::string_view dir : absl::StrSplit(path ? path : "", ':')) {
    std::string candidate = JoinPath(dir, kController);
    if (!dir.empty() && IsProgram(candidate)) return candidate;
  }
  return std::nullopt;
}

int Submit(absl::Span<const std::string> args) {
  std::optional<std::string> controller = FindController();
  if (!controller) {
    return Fail(kExitMiss,
                absl::NotFoundError(absl::StrCat(
                    "cannot find ", kController,
                    " to submit this suite: set KTSTR_CTL, put it beside the "
                    "suite, or put it on PATH")));
  }
  std::vector<std::string> command = {*controller, "submit", SelfPath()};
  command.insert(command.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(controller->c_str(), argv.data());
  return Fail(kExitMiss,
              absl::UnknownError(absl::StrCat("cannot start ", *controller,
                                              ": ", strerror(errno))));
}

}  // namespace

int RunSuiteProgram(absl::Span<const std::string> args) {
  if (!args.empty() && args[0] == "--help") return Help();
  if (!args.empty() && args[0] == "--ktstr-list") {
    if (args.size() == 1) return List();
    return Fail(kExitUsage,
                absl::InvalidArgumentError("--ktstr-list takes no argument"));
  }
  if (!args.empty() && args[0] == "--ktstr-run") {
    if (args.size() == 2) return RunOne(args[1]);
    return Fail(kExitUsage, absl::InvalidArgumentError(
                                "--ktstr-run takes one argument, a test"));
  }
  if (!args.empty() && args[0] == "--ktstr-cleanup") {
    if (args.size() == 1) return CleanUp();
    return Fail(kExitUsage, absl::InvalidArgumentError(
                                "--ktstr-cleanup takes no argument"));
  }
  return Submit(args);
}

}  // namespace ktstr::internal
