// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/poll.h"
#include "base/status_macros.h"

namespace ktstr::internal {
namespace {

// How long output is waited for that a process outside of the group, such as a
// daemon, could still write.
constexpr absl::Duration kHeldOutput = absl::Seconds(1);

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Whether anything is ready before `deadline`.
bool Poll(absl::Span<pollfd> fds, absl::Duration deadline) {
  return PollUntil(fds, deadline).value_or(0) > 0;
}

}  // namespace

// Reads both pipes to their ends on a thread of its own.
class PayloadProcess::Drain {
 public:
  static absl::StatusOr<std::unique_ptr<Drain>> Create(UniqueFd out,
                                                       UniqueFd err) {
    UniqueFd stop(eventfd(0, EFD_CLOEXEC));
    if (!stop) return absl::ErrnoToStatus(errno, "eventfd");
    return std::unique_ptr<Drain>(
        new Drain(std::move(out), std::move(err), std::move(stop)));
  }
  ~Drain() { Stop(); }

  // Waits for the ends of both, for kHeldOutput at most.
  void Stop() {
    const uint64_t one = 1;
    // Cannot fail: the counter is far from full.
    [[maybe_unused]] ssize_t written = write(stop_.get(), &one, sizeof(one));
    thread_.Join();
  }

  // After Stop().
  void MoveInto(PayloadEnding& ending) {
    ending.out = std::move(streams_[0].text);
    ending.out_dropped = streams_[0].dropped;
    ending.err = std::move(streams_[1].text);
    ending.err_dropped = streams_[1].dropped;
  }

 private:
  // The thread's own until it has been joined.
  struct Stream {
    UniqueFd fd;
    std::string text;
    uint64_t dropped = 0;
  };

  Drain(UniqueFd out, UniqueFd err, UniqueFd stop) : stop_(std::move(stop)) {
    streams_[0].fd = std::move(out);
    streams_[1].fd = std::move(err);
    thread_ = Thread("payload-output", [this] { Run(); });
  }

  void Run() {
    absl::Duration deadline = absl::InfiniteDuration();
    std::vector<char> buffer(64 << 10);
    while (streams_[0].fd.is_valid() || streams_[1].fd.is_valid()) {
      const bool is_stopping = deadline != absl::InfiniteDuration();
      pollfd fds[3] = {
          {.fd = streams_[0].fd.get(), .events = POLLIN, .revents = 0},
          {.fd = streams_[1].fd.get(), .events = POLLIN, .revents = 0},
          {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
      if (!Poll(absl::MakeSpan(fds, is_stopping ? 2 : 3), deadline)) return;
      for (int i = 0; i < 2; ++i) {
        if (fds[i].revents != 0) Read(streams_[i], buffer);
      }
      if (!is_stopping && fds[2].revents != 0) {
        deadline = RealClock().Monotonic() + kHeldOutput;
      }
    }
  }

  static void Read(Stream& stream, std::vector<char>& buffer) {
    const ssize_t count = read(stream.fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) {
      stream.fd.Reset();
      return;
    }
    const size_t size = static_cast<size_t>(count);
    const size_t kept = std::min(size, kMaxOutputBytes - stream.text.size());
    stream.text.append(buffer.data(), kept);
    stream.dropped += size - kept;
  }

  const UniqueFd stop_;
  Stream streams_[2];
  Thread thread_;
};

absl::StatusOr<std::unique_ptr<PayloadProcess>> PayloadProcess::Start(
    const PayloadPlan& plan, const Context& context) {
  const char* search_path = getenv("PATH");
  ABSL_ASSIGN_OR_RETURN(
      std::string program,
      FindPayloadProgram(*plan.def, search_path ? search_path : ""));
  ABSL_ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ABSL_ASSIGN_OR_RETURN(Pipe err, MakePipe());
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  absl::Status placed;
  CommandSpec spec{.argv = {program},
                   .inherited_fds = {{out.writer.get(), STDOUT_FILENO},
                                     {err.writer.get(), STDERR_FILENO}},
                   .new_process_group = !plan.def->uses_parent_pgrp,
                   .exec_timeout = context.profile().subtracts_stolen_time
                                       ? kSlowStartTimeout
                                       : kStartTimeout};
  spec.argv.insert(spec.argv.end(), plan.args.begin(), plan.args.end());
  if (null && !plan.def->uses_parent_pgrp) {
    spec.inherited_fds.emplace_back(null.get(), STDIN_FILENO);
  }
  if (!plan.cgroup.empty()) {
    spec.before_exec = [&](pid_t pid) {
      placed = context.cgroups().MoveTasks(plan.cgroup, {pid});
      if (!placed.ok()) ::kill(pid, SIGKILL);
    };
  }
  const std::string what = absl::StrCat("payload \"", plan.name(), "\"");
  absl::StatusOr<Subprocess> process = Subprocess::Start(spec);
  ABSL_RETURN_IF_ERROR(Annotate(placed, what));
  ABSL_RETURN_IF_ERROR(Annotate(process.status(), what));
  out.writer.Reset();
  err.writer.Reset();
  ABSL_ASSIGN_OR_RETURN(
      std::unique_ptr<Drain> drain,
      Drain::Create(std::move(out.reader), std::move(err.reader)));
  return std::unique_ptr<PayloadProcess>(
      new PayloadProcess(*std::move(process), std::move(drain)));
}

PayloadProcess::PayloadProcess(Subprocess process, std::unique_ptr<Drain> drain)
    : process_(std::move(process)), drain_(std::move(drain)) {}

PayloadProcess::~PayloadProcess() {
  if (!is_finished_) Finish();
}

bool PayloadProcess::has_ended() const {
  pollfd ended{.fd = process_.pidfd(), .events = POLLIN, .revents = 0};
  return Poll(absl::MakeSpan(&ended, 1), absl::ZeroDuration());
}

bool PayloadProcess::AwaitEnd(absl::Duration deadline) {
  pollfd ended{.fd = process_.pidfd(), .events = POLLIN, .revents = 0};
  return Poll(absl::MakeSpan(&ended, 1), deadline);
}

void PayloadProcess::RequestStop(const PayloadStop& how) {
  if (stop_ || has_ended()) return;
  stop_ = how;
  stop_deadline_ = RealClock().Monotonic() + absl::FromChrono(how.grace);
  process_.Kill(how.signal).IgnoreError();
}

void PayloadProcess::KillAtLimit(absl::Duration limit) {
  if (has_ended()) return;
  limit_ = limit;
  process_.Kill(SIGKILL).IgnoreError();
}

PayloadEnding PayloadProcess::Finish() {
  is_finished_ = true;
  // Also what outlives the process in its group; its number is ours until the
  // process is reaped.
  process_.Kill(SIGKILL).IgnoreError();
  PayloadEnding ending;
  if (absl::StatusOr<ExitStatus> exit = process_.Wait(); exit.ok()) {
    ending.exit = *exit;
  }
  ending.limit = limit_;
  ending.is_by_test =
      stop_ && (ending.exit.signal == 0 || ending.exit.signal == SIGKILL ||
                ending.exit.signal == stop_->signal);
  drain_->Stop();
  drain_->MoveInto(ending);
  return ending;
}

}  // namespace ktstr::internal
