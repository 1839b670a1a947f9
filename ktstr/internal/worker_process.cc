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
#include <string>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "ktstr/internal/affinity.h"
#include "ktstr/internal/memory_rules.h"
#include "ktstr/internal/report_codec.h"
#include "ktstr/internal/telemetry.h"

namespace ktstr::internal {
namespace {

constexpr int kStartTimeoutMs = 30'000;

std::atomic<bool> stop_requested{false};

void OnStop(int) { stop_requested.store(true, std::memory_order_relaxed); }

void CloseRange(unsigned first, unsigned last) {
  if (first <= last) syscall(SYS_close_range, first, last, 0);
}

void CloseForeignDescriptors(const WorkerAssignment& assignment) {
  std::array<int, 4> keep = {assignment.start_fd, assignment.report_fd,
                             assignment.seat.read_fd, assignment.seat.write_fd};
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
  }
  sched_param param{};
  param.sched_priority = policy.priority;
  if (sched_setscheduler(0, number, &param) == 0) return "";
  return absl::StrCat("policy ", policy.ToString(), ": ", strerror(errno));
}

WorkerReport RunBody(const WorkerAssignment& assignment) {
  StopFlag stop(&stop_requested);
  if (assignment.type->kind == WorkType::Kind::kCustom) {
    WorkerReport report = assignment.type->custom_body(stop);
    report.pid = getpid();
    report.completed = true;
    return report;
  }
  Telemetry telemetry({.probe = &RealWorkerProbe(),
                       .live_iterations = assignment.live_iterations,
                       .placement_epoch = assignment.placement_epoch,
                       .frozen_ns = assignment.frozen_ns,
                       .seed = assignment.seat.seed,
                       .is_steal_aware = assignment.is_steal_aware});
  telemetry.Begin();
  absl::Status status =
      RunWorkLoop(*assignment.type, assignment.seat, stop, telemetry);
  WorkerReport report = telemetry.Finish();
  report.is_messenger = IsMessenger(*assignment.type, assignment.seat);
  if (!status.ok()) report.setup_error = std::string(status.message());
  return report;
}

}  // namespace

void RunWorkerProcess(const WorkerAssignment& assignment) {
  BecomeWorker(assignment);
  if (!AwaitStart(assignment.start_fd)) _exit(1);
  std::string setup_error = ApplyAffinity(assignment.affinity);
  if (setup_error.empty()) setup_error = ApplyPolicy(assignment.policy);
  if (setup_error.empty()) setup_error = ApplyMemoryPolicy(*assignment.memory);
  WorkerReport report = RunBody(assignment);
  if (!setup_error.empty()) report.setup_error = setup_error;
  bool is_sent =
      WriteAll(assignment.report_fd, EncodeWorkerReport(std::move(report)))
          .ok();
  _exit(is_sent ? 0 : 2);
}

}  // namespace ktstr::internal
