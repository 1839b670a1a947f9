// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/worker_process.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/thread.h"
#include "ktstr/internal/affinity.h"
#include "ktstr/internal/memory_rules.h"
#include "ktstr/internal/report_codec.h"
#include "ktstr/internal/seed.h"
#include "ktstr/internal/telemetry.h"
#include "ktstr/internal/thread_reports.h"

namespace ktstr::internal {
namespace {

constexpr int kStartTimeoutMs = 30'000;

std::atomic<bool> stop_requested{false};

void OnStop(int) { stop_requested.store(true, std::memory_order_relaxed); }

void CloseRange(unsigned first, unsigned last) {
  if (first <= last) syscall(SYS_close_range, first, last, 0);
}

void CloseForeignDescriptors(const WorkerAssignment& assignment) {
  std::array<int, 5> keep = {assignment.start_fd, assignment.working_fd,
                             assignment.report_fd, assignment.seat.read_fd,
                             assignment.seat.write_fd};
  std::sort(keep.begin(), keep.end());
  unsigned next = 3;
  for (int fd : keep) {
    if (fd < 0) continue;
    CloseRange(next, fd - 1);
    next = fd + 1;
  }
  CloseRange(next, ~0u);
}

// The default action of the signals a test program may have changed, and a stop
// flag on SIGUSR1 that interrupts blocking calls.
void InstallSignals() {
  struct sigaction action {};
  action.sa_handler = OnStop;
  sigaction(SIGUSR1, &action, nullptr);
  action.sa_handler = SIG_DFL;
  for (int signal : {SIGTERM, SIGINT, SIGCHLD, SIGPIPE}) {
    sigaction(signal, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void BecomeWorker(const WorkerAssignment& assignment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != assignment.parent) _exit(1);
  setpgid(0, 0);
  InstallSignals();
  CloseForeignDescriptors(assignment);
  prctl(PR_SET_NAME, "ktstr-worker");
}

bool AwaitStart(int fd) {
  pollfd event{.fd = fd, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = poll(&event, 1, kStartTimeoutMs);
  } while (ready < 0 && errno == EINTR);
  char byte = 0;
  return ready == 1 && read(fd, &byte, 1) == 1;
}

std::string ApplyAffinity(const std::vector<int>& cpus) {
  if (cpus.empty()) return "";
  if (SetAffinity(0, cpus)) return "";
  return absl::StrCat("affinity ", FormatCpuList(cpus), ": ", strerror(errno));
}

// As the kernel has it; older system headers do not. Source:
// include/uapi/linux/sched/types.h, version 0.
struct SchedAttr {
  uint32_t size = sizeof(SchedAttr);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};
static_assert(sizeof(SchedAttr) == 48);

std::string ApplyDeadline(SchedPolicy policy) {
  constexpr uint32_t kSchedDeadline = 6;
  // What the worker forks has an ordinary policy: no bandwidth can be shared.
  constexpr uint64_t kResetOnFork = 1;
  const SchedAttr attributes{
      .policy = kSchedDeadline,
      .flags = kResetOnFork,
      .runtime = static_cast<uint64_t>(policy.runtime.count()),
      .deadline = static_cast<uint64_t>(policy.relative_deadline.count()),
      .period = static_cast<uint64_t>(policy.period.count())};
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0) return "";
  const char* hint =
      errno == EPERM   ? " (a deadline worker needs the right to it and every "
                         "CPU: no affinity, no cpuset)"
      : errno == EBUSY ? " (more than the kernel can promise)"
                       : "";
  return absl::StrCat("policy ", policy.ToString(), ": ", strerror(errno),
                      hint);
}

std::string ApplyPolicy(SchedPolicy policy) {
  int number = SCHED_OTHER;
  switch (policy.kind) {
    case SchedPolicy::Kind::kNormal:
      return "";
    case SchedPolicy::Kind::kBatch:
      number = SCHED_BATCH;
      break;
    case SchedPolicy::Kind::kIdle:
      number = SCHED_IDLE;
      break;
    case SchedPolicy::Kind::kFifo:
      number = SCHED_FIFO;
      break;
    case SchedPolicy::Kind::kRoundRobin:
      number = SCHED_RR;
      break;
    case SchedPolicy::Kind::kDeadline:
      return ApplyDeadline(policy);
  }
  sched_param param{};
  param.sched_priority = policy.priority;
  if (sched_setscheduler(0, number, &param) == 0) return "";
  return absl::StrCat("policy ", policy.ToString(), ": ", strerror(errno));
}

// From here on the worker works, or waits for its partners.
void AnnounceWorking(int fd) {
  WriteAll(fd, "w").IgnoreError();  // nobody waits any more
  close(fd);
}

// What one thread does; `number` 0 is the process's first.
WorkerReport RunThread(const WorkerAssignment& assignment, int number) {
  const std::string refused = ApplyPolicy(assignment.policy);
  StopFlag stop(&stop_requested);
  WorkerSeat seat = assignment.seat;
  if (number > 0) seat.seed = SeededStream(seat.seed).Fork(number);
  std::unique_ptr<WorkerProbe> probe = MakeWorkerProbe();
  Telemetry telemetry({.probe = probe.get(),
                       .live = assignment.live,
                       .placement_epoch = assignment.placement_epoch,
                       .frozen_ns = assignment.frozen_ns,
                       .seed = seat.seed,
                       .is_steal_aware = assignment.is_steal_aware});
  telemetry.Begin();
  if (number == 0) AnnounceWorking(assignment.working_fd);
  absl::Status status = RunWorkLoop(*assignment.type, seat, stop, telemetry);
  WorkerReport report = telemetry.Finish();
  report.is_messenger = IsMessenger(*assignment.type, seat);
  report.setup_error =
      refused.empty() ? std::string(status.message()) : refused;
  return report;
}

WorkerReport RunBody(const WorkerAssignment& assignment) {
  if (assignment.type->kind == WorkType::Kind::kCustom) {
    const std::string refused = ApplyPolicy(assignment.policy);
    AnnounceWorking(assignment.working_fd);
    WorkerReport report =
        assignment.type->custom_body(StopFlag(&stop_requested));
    report.pid = getpid();
    report.completed = true;
    if (!refused.empty()) report.setup_error = refused;
    return report;
  }
  if (assignment.threads == 1) return RunThread(assignment, 0);
  std::vector<WorkerReport> reports(assignment.threads);
  {
    std::vector<Thread> others;
    for (int i = 1; i < assignment.threads; ++i) {
      others.emplace_back(absl::StrCat("ktstr-worker-", i),
                          [&, i] { reports[i] = RunThread(assignment, i); });
    }
    reports[0] = RunThread(assignment, 0);
  }
  return MergeThreadReports(std::move(reports), assignment.seat.seed);
}

}  // namespace

void RunWorkerProcess(const WorkerAssignment& assignment) {
  BecomeWorker(assignment);
  if (!AwaitStart(assignment.start_fd)) _exit(1);
  // Of the process: its threads inherit both. Each sets its own policy, which a
  // deadline one cannot hand down.
  std::string setup_error = ApplyAffinity(assignment.affinity);
  if (setup_error.empty()) setup_error = ApplyMemoryPolicy(*assignment.memory);
  WorkerReport report = RunBody(assignment);
  if (!setup_error.empty()) report.setup_error = setup_error;
  bool is_sent =
      WriteAll(assignment.report_fd, EncodeWorkerReport(std::move(report)))
          .ok();
  _exit(is_sent ? 0 : 2);
}

}  // namespace ktstr::internal
