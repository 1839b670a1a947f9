// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/worker_group.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstr/internal/affinity.h"
#include "ktstr/internal/report_codec.h"
#include "ktstr/internal/seed.h"
#include "ktstr/internal/telemetry.h"
#include "ktstr/internal/worker_process.h"

namespace ktstr::internal {
namespace {

// A report of the longest lists is far below; a worker writing on is cut off.
constexpr size_t kMaxReportBytes = 4 << 20;

absl::StatusOr<std::pair<UniqueFd, UniqueFd>> MakePipe(int flags = 0) {
  int fds[2] = {-1, -1};
  if (pipe2(fds, O_CLOEXEC | flags) != 0)
    return absl::ErrnoToStatus(errno, "pipe2");
  return std::make_pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

absl::Status CheckThreads(const WorkerGroupSpec& spec) {
  if (spec.threads < 1 || spec.threads > WorkerGroup::kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("a worker has 1 to ", WorkerGroup::kMaxThreads,
                     " threads, not ", spec.threads));
  }
  if (spec.threads > 1 && (spec.type.group_size() > 1 ||
                           spec.type.kind == WorkType::Kind::kCustom)) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.type.name(), " has one thread a worker, not ",
                     spec.threads, "; types without groups can have several"));
  }
  return absl::OkStatus();
}

// SIGUSR1 stays blocked from before the fork until the child has a handler.
class BlockStopSignal {
 public:
  BlockStopSignal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &previous_);
  }
  ~BlockStopSignal() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

 private:
  sigset_t previous_;
};

// Of a process: the sum over its threads.
std::optional<Schedstat> SchedstatOf(pid_t pid, int threads) {
  const std::string process = absl::StrCat("/proc/", pid);
  if (threads < 2) {
    return ReadSchedstatFile(absl::StrCat(process, "/schedstat").c_str());
  }
  const std::string tasks = absl::StrCat(process, "/task");
  absl::StatusOr<std::vector<std::string>> names = ListDir(tasks);
  if (!names.ok()) return std::nullopt;
  std::optional<Schedstat> total;
  for (const std::string& name : *names) {
    std::optional<Schedstat> one =
        ReadSchedstatFile(absl::StrCat(tasks, "/", name, "/schedstat").c_str());
    if (!one) continue;
    if (!total) total.emplace();
    total->cpu_ns += one->cpu_ns;
    total->run_delay_ns += one->run_delay_ns;
  }
  return total;
}

}  // namespace

// A slot for each worker, all on lines of their own. The words of a group are
// those of its first worker.
struct WorkerGroup::Shared {
  struct alignas(64) Slot {
    LiveCounters live;
    GroupWords group;
  };
  alignas(64) std::atomic<uint32_t> epoch{0};
  std::atomic<uint64_t> frozen_ns{0};

  // SAFETY: MapShared() maps room for one Slot a worker right behind *this and
  // constructs them; both types have the alignment of a cache line.
  Slot* slots() { return reinterpret_cast<Slot*>(this + 1); }
};

absl::Status WorkerGroup::MapShared() {
  shared_size_ = sizeof(Shared) + sizeof(Shared::Slot) * spec_.workers;
  void* memory = mmap(nullptr, shared_size_, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, "mmap memory shared with workers");
  }
  shared_ = new (memory) Shared();
  for (int i = 0; i < spec_.workers; ++i) {
    new (shared_->slots() + i) Shared::Slot();
  }
  return absl::OkStatus();
}

absl::StatusOr<WorkerSeat> WorkerGroup::SeatOf(int index) {
  const int group = spec_.type.group_size();
  WorkerSeat seat{.place = index % group,
                  .group = &shared_->slots()[index - index % group].group,
                  .seed = SeededStream(spec_.seed).Fork(index)};
  if (!spec_.type.needs_channel()) return seat;
  if (seat.place == 0) ABSL_RETURN_IF_ERROR(OpenChannel());
  seat.read_fd = channel_[seat.place].first.get();
  seat.write_fd = spec_.type.kind == WorkType::Kind::kSocketPingPong
                      ? seat.read_fd
                      : channel_[1 - seat.place].second.get();
  return seat;
}

absl::Status WorkerGroup::OpenChannel() {
  if (spec_.type.kind != WorkType::Kind::kSocketPingPong) {
    for (auto& pipe : channel_) {
      ABSL_ASSIGN_OR_RETURN(pipe, MakePipe(O_NONBLOCK));
    }
    return absl::OkStatus();
  }
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                 ends) != 0) {
    return absl::ErrnoToStatus(errno, "socketpair");
  }
  for (int i : {0, 1}) channel_[i] = {UniqueFd(ends[i]), UniqueFd()};
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WorkerGroup>> WorkerGroup::Spawn(
    WorkerGroupSpec spec) {
  if (spec.workers <= 0 || spec.workers > kMaxWorkers) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a work group has 1 to ", kMaxWorkers, " workers, not ", spec.workers));
  }
  ABSL_RETURN_IF_ERROR(spec.type.Validate());
  ABSL_RETURN_IF_ERROR(spec.policy.Validate());
  ABSL_RETURN_IF_ERROR(CheckThreads(spec));
  if (spec.workers % spec.type.group_size() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.type.name(), " needs a multiple of ",
                     spec.type.group_size(), " workers, not ", spec.workers));
  }
  std::unique_ptr<WorkerGroup> group(new WorkerGroup(std::move(spec)));
  ABSL_RETURN_IF_ERROR(group->MapShared());
  ABSL_ASSIGN_OR_RETURN(auto start, MakePipe());
  group->start_ = std::move(start.second);
  ABSL_ASSIGN_OR_RETURN(auto working, MakePipe());
  group->working_ = std::move(working.first);
  BlockStopSignal blocked;
  for (int i = 0; i < group->spec_.workers; ++i) {
    ABSL_RETURN_IF_ERROR(
        group->Fork(i, start.first.get(), working.second.get()));
  }
  for (auto& end : group->channel_) end = {};
  return group;
}

absl::Status WorkerGroup::Fork(int index, int start_fd, int working_fd) {
  ABSL_ASSIGN_OR_RETURN(auto report, MakePipe());
  ABSL_ASSIGN_OR_RETURN(WorkerSeat seat, SeatOf(index));
  WorkerAssignment assignment{.type = &spec_.type,
                              .policy = spec_.policy,
                              .memory = &spec_.memory,
                              .threads = spec_.threads,
                              .seat = seat,
                              .live = &shared_->slots()[index].live,
                              .placement_epoch = &shared_->epoch,
                              .frozen_ns = &shared_->frozen_ns,
                              .is_steal_aware = spec_.is_steal_aware,
                              .parent = getpid(),
                              .start_fd = start_fd,
                              .working_fd = working_fd,
                              .report_fd = report.second.get()};
  if (!spec_.affinities.empty()) {
    assignment.affinity = spec_.affinities[index];
  }
  pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork a worker");
  if (pid == 0) RunWorkerProcess(assignment);
  // The child does the same; whoever is first, the group exists from here on.
  setpgid(pid, pid);
  Worker worker;
  worker.pidfd.Reset(syscall(SYS_pidfd_open, pid, 0));
  if (!worker.pidfd) {
    int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(error, "pidfd_open a worker");
  }
  worker.report = std::move(report.first);
  fcntl(worker.report.get(), F_SETFL, O_NONBLOCK);
  pids_.push_back(pid);
  workers_.push_back(std::move(worker));
  return absl::OkStatus();
}

WorkerGroup::~WorkerGroup() {
  KillAll();
  if (shared_ != nullptr) munmap(shared_, shared_size_);
}

absl::Status WorkerGroup::Start() {
  if (is_started_) return absl::OkStatus();
  is_started_ = true;
  absl::Status status =
      WriteAll(start_.get(), std::string(workers_.size(), 's'));
  if (!status.ok()) return Annotate(status, "start workers");
  AwaitWorking();
  return absl::OkStatus();
}

// One byte a worker, and the end of the pipe when all others have ended.
void WorkerGroup::AwaitWorking() {
  const absl::Duration deadline = RealClock().Monotonic() + kStartTimeout;
  size_t working = 0;
  while (working < workers_.size()) {
    const absl::Duration left = deadline - RealClock().Monotonic();
    if (left <= absl::ZeroDuration()) break;
    pollfd event{.fd = working_.get(), .events = POLLIN, .revents = 0};
    timespec limit = absl::ToTimespec(left);
    if (ppoll(&event, 1, &limit, nullptr) <= 0) continue;
    char bytes[256];
    ssize_t count = read(working_.get(), bytes, sizeof(bytes));
    if (count == 0) break;
    if (count > 0) working += static_cast<size_t>(count);
  }
}

std::vector<uint64_t> WorkerGroup::Iterations() const {
  std::vector<uint64_t> counts;
  for (int i = 0; i < spec_.workers; ++i) {
    counts.push_back(
        shared_->slots()[i].live.iterations.load(std::memory_order_relaxed));
  }
  return counts;
}

uint64_t WorkerGroup::TotalIterations() const {
  uint64_t total = 0;
  for (uint64_t count : Iterations()) total += count;
  return total;
}

std::vector<WorkerSample> WorkerGroup::Sample() const {
  std::vector<WorkerSample> samples;
  for (int i = 0; i < spec_.workers; ++i) {
    const LiveCounters& live = shared_->slots()[i].live;
    WorkerSample& sample = samples.emplace_back();
    sample.pid = pids_[i];
    sample.iterations = live.iterations.load(std::memory_order_relaxed);
    sample.work_units = live.work_units.load(std::memory_order_relaxed);
    if (auto schedstat = SchedstatOf(pids_[i], spec_.threads); schedstat) {
      sample.cpu_ns = schedstat->cpu_ns;
      sample.run_delay_ns = schedstat->run_delay_ns;
    }
    for (uint32_t bucket = 0; bucket < kWakeBuckets; ++bucket) {
      const uint32_t count = live.wakes[bucket].load(std::memory_order_relaxed);
      if (count > 0) sample.wakes[bucket] = count;
    }
  }
  return samples;
}

absl::Duration WorkerGroup::frozen() const {
  absl::Duration total =
      absl::Nanoseconds(static_cast<int64_t>(shared_->frozen_ns.load()));
  if (frozen_since_) total += RealClock().Monotonic() - *frozen_since_;
  return total;
}

absl::Status WorkerGroup::SetAffinity(int worker,
                                      const std::vector<int>& cpus) {
  if (workers_[worker].is_reaped) {
    return absl::FailedPreconditionError("set affinity: the worker is gone");
  }
  // SAFETY: the pid cannot have been recycled, this process has not reaped it.
  if (SetProcessAffinity(pids_[worker], cpus)) return absl::OkStatus();
  return absl::ErrnoToStatus(
      errno, absl::StrCat("set affinity of worker ", pids_[worker]));
}

void WorkerGroup::BeginPlacementChange() { shared_->epoch.fetch_add(1); }
void WorkerGroup::EndPlacementChange() { shared_->epoch.fetch_add(1); }
uint32_t WorkerGroup::epoch() const { return shared_->epoch.load(); }

void WorkerGroup::SetFrozen(bool is_frozen) {
  if (is_frozen == frozen_since_.has_value()) return;
  const absl::Duration now = RealClock().Monotonic();
  if (is_frozen) {
    frozen_since_ = now;
    return;
  }
  shared_->frozen_ns.fetch_add(
      static_cast<uint64_t>(absl::ToInt64Nanoseconds(now - *frozen_since_)));
  frozen_since_.reset();
}

// Reads until every pipe is at its end or the time is over.
void WorkerGroup::ReadReports(absl::Duration timeout) {
  const absl::Duration deadline = RealClock().Monotonic() + timeout;
  for (;;) {
    std::vector<pollfd> events;
    std::vector<Worker*> owners;
    for (Worker& worker : workers_) {
      if (!worker.report) continue;
      events.push_back({.fd = worker.report.get(), .events = POLLIN});
      owners.push_back(&worker);
    }
    absl::Duration left = deadline - RealClock().Monotonic();
    if (events.empty() || left <= absl::ZeroDuration()) return;
    timespec limit = absl::ToTimespec(left);
    if (ppoll(events.data(), events.size(), &limit, nullptr) <= 0) continue;
    for (size_t i = 0; i < events.size(); ++i) {
      if (events[i].revents == 0) continue;
      char chunk[16384];
      ssize_t got = read(events[i].fd, chunk, sizeof(chunk));
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got > 0) owners[i]->bytes.append(chunk, got);
      if (got <= 0 || owners[i]->bytes.size() > kMaxReportBytes) {
        owners[i]->report.Reset();
      }
    }
  }
}

void WorkerGroup::Reap(Worker& worker) {
  if (worker.is_reaped) return;
  siginfo_t info{};
  int result = 0;
  do {
    result = waitid(P_PIDFD, worker.pidfd.get(), &info, WEXITED);
  } while (result != 0 && errno == EINTR);
  worker.is_reaped = true;
  if (worker.exit.kind == WorkerExit::Kind::kTimedOut) return;
  if (result != 0) {
    worker.exit = {WorkerExit::Kind::kWaitFailed, errno};
  } else if (info.si_code == CLD_EXITED) {
    worker.exit = {WorkerExit::Kind::kExited, info.si_status};
  } else {
    worker.exit = {WorkerExit::Kind::kSignaled, info.si_status};
  }
}

void WorkerGroup::KillAll() {
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].is_reaped) continue;
    // The whole group, also when its leader has ended: a body may have forked.
    kill(-pids_[i], SIGKILL);
    syscall(SYS_pidfd_send_signal, workers_[i].pidfd.get(), SIGKILL, nullptr,
            0);
  }
  for (Worker& worker : workers_) Reap(worker);
}

WorkerReport WorkerGroup::ReportOf(int index) {
  Worker& worker = workers_[index];
  if (absl::StatusOr<WorkerReport> report = DecodeWorkerReport(worker.bytes);
      report.ok()) {
    return *std::move(report);
  }
  WorkerReport missing;
  missing.pid = pids_[index];
  missing.exit = worker.exit;
  return missing;
}

void WorkerGroup::RequestStop() {
  if (is_stopping_) return;
  is_stopping_ = true;
  start_.Reset();
  for (Worker& worker : workers_) {
    if (worker.is_reaped) continue;
    syscall(SYS_pidfd_send_signal, worker.pidfd.get(), SIGUSR1, nullptr, 0);
  }
}

std::vector<WorkerReport> WorkerGroup::StopAndCollect(absl::Duration timeout) {
  RequestStop();
  ReadReports(timeout);
  for (Worker& worker : workers_) {
    if (worker.report) worker.exit.kind = WorkerExit::Kind::kTimedOut;
  }
  // A worker that closed its pipe is on its way out; one that ended by itself
  // shall show its own exit, not our signal.
  const absl::Duration deadline = RealClock().Monotonic() + absl::Seconds(1);
  for (Worker& worker : workers_) {
    if (worker.is_reaped || worker.report) continue;
    absl::Duration left = deadline - RealClock().Monotonic();
    timespec limit = absl::ToTimespec(std::max(left, absl::ZeroDuration()));
    pollfd ended{.fd = worker.pidfd.get(), .events = POLLIN, .revents = 0};
    ppoll(&ended, 1, &limit, nullptr);
  }
  KillAll();
  std::vector<WorkerReport> reports;
  for (int i = 0; i < spec_.workers; ++i) reports.push_back(ReportOf(i));
  return reports;
}

}  // namespace ktstr::internal
