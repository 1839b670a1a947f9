// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/test_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "guestd/environment.h"

namespace ktstr::guestd {
namespace {

// The number the test binary finds its frame pipe under.
constexpr int kChildFramesFd = 3;
// And its end of the socket for requests.
constexpr int kChildControlFd = 4;
constexpr size_t kMaxRequestBytes = 64 << 10;
constexpr size_t kPieceBytes = 64 << 10;
// Time for the kernel to end a killed process.
constexpr absl::Duration kKillGrace = absl::Seconds(10);

std::vector<std::string> Environment(const v1::RunTestRequest& request,
                                     pid_t scheduler_pid,
                                     const std::string& cgroup_root) {
  std::vector<std::string> entries = LibraryEnvironment();
  const char* path = getenv("PATH");
  for (std::string& entry : ProgramEnvironment(path != nullptr ? path : "")) {
    entries.push_back(std::move(entry));
  }
  entries.push_back(absl::StrCat("KTSTR_FRAMES_FD=", kChildFramesFd));
  entries.push_back(absl::StrCat("KTSTR_CONTROL_FD=", kChildControlFd));
  entries.push_back(absl::StrCat("KTSTR_TOPOLOGY=", request.topology()));
  entries.push_back(absl::StrCat(
      "KTSTR_DURATION_MS=", absl::ToInt64Milliseconds(FromProtoDurationOr(
                                request.duration(), absl::ZeroDuration()))));
  entries.push_back(
      absl::StrCat("KTSTR_WORKERS=", request.workers_per_cgroup()));
  if (!request.work_type().empty()) {
    entries.push_back(absl::StrCat("KTSTR_WORK_TYPE=", request.work_type()));
  }
  entries.push_back(absl::StrCat("KTSTR_SEED=", request.seed()));
  if (request.is_overcommitted()) entries.push_back("KTSTR_OVERCOMMITTED=1");
  if (scheduler_pid > 0) {
    entries.push_back(absl::StrCat("KTSTR_SCHED_PID=", scheduler_pid));
  }
  if (!cgroup_root.empty()) {
    entries.push_back(absl::StrCat("KTSTR_CGROUP_ROOT=", cgroup_root));
  }
  return entries;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TestProcess>> TestProcess::Start(
    const v1::RunTestRequest& request, pid_t scheduler_pid,
    const std::string& cgroup_root, EventLoop* loop, Callbacks callbacks) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd writer(fds[1]);
  std::unique_ptr<TestProcess> test(
      new TestProcess(loop, std::move(callbacks)));
  test->frames_.Reset(fds[0]);
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    return absl::ErrnoToStatus(errno, "socketpair");
  }
  UniqueFd asker(fds[1]);
  test->control_.Reset(fds[0]);
  TestProcess* self = test.get();
  ABSL_ASSIGN_OR_RETURN(
      test->child_,
      Child::Start(
          {.argv = {request.suite_path(), "--ktstr-run", request.test()},
           .extra_env = Environment(request, scheduler_pid, cgroup_root),
           .inherited_fds = {{writer.get(), kChildFramesFd},
                             {asker.get(), kChildControlFd}}},
          loop,
          {.on_output = self->callbacks_.on_log,
           .on_exit = [self](const ExitStatus&) { self->OnFrames(); }}));
  loop->Watch(self->frames_.get(), POLLIN, [self] { self->OnFrames(); });
  self->WatchRequests();
  return test;
}

TestProcess::~TestProcess() {
  loop_->Forget(frames_.get());
  loop_->Forget(control_.get());
  child_.reset();
}

void TestProcess::Kill() { child_->Kill(SIGKILL); }

void TestProcess::DeliverFrames() {
  while (stream_error_.ok()) {
    absl::StatusOr<absl::optional<v1::TestFrame>> frame = reader_.Next();
    if (!frame.ok()) {
      stream_error_ = frame.status();
      Kill();
      return;
    }
    if (!frame->has_value()) return;
    callbacks_.on_frame(**frame);
  }
}

bool TestProcess::ReadFrames() {
  std::string piece(kPieceBytes, '\0');
  while (stream_error_.ok()) {
    ssize_t count = read(frames_.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    reader_.Append(absl::string_view(piece.data(), count));
    DeliverFrames();
    // One piece a turn while it runs; all of them once it cannot write more.
    if (child_->is_running()) return true;
  }
  return false;
}

void TestProcess::OnFrames() {
  if (ReadFrames()) return;
  loop_->Forget(frames_.get());
}

void TestProcess::WatchRequests() {
  loop_->Watch(control_.get(), POLLIN, [this] { OnRequest(); });
}

// One at a time: the next is read after this one was answered.
void TestProcess::OnRequest() {
  std::string packet(kMaxRequestBytes, '\0');
  ssize_t count = recv(control_.get(), packet.data(), packet.size(),
                       MSG_DONTWAIT | MSG_TRUNC);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  loop_->Forget(control_.get());
  if (count <= 0) return;
  v1::ControlRequest request;
  if (static_cast<size_t>(count) > packet.size() ||
      !request.ParseFromArray(packet.data(), static_cast<int>(count))) {
    request.Clear();  // no action: the answer says so
  }
  pending_ = std::move(request);
}

void TestProcess::Answer() {
  v1::ControlRequest request = *std::move(pending_);
  pending_.reset();
  const std::string packet = callbacks_.on_request(request).SerializeAsString();
  // A test that does not read its answers is no concern of ours.
  send(control_.get(), packet.data(), packet.size(),
       MSG_DONTWAIT | MSG_NOSIGNAL);
  WatchRequests();
}

void TestProcess::Hasten(absl::Duration deadline, bool is_timeout) {
  if (deadline >= deadline_) return;
  deadline_ = deadline;
  counts_as_timeout_ = is_timeout;
}

v1::TestExit TestProcess::Wait(absl::Duration deadline) {
  Hasten(deadline, /*is_timeout=*/true);
  v1::TestExit result;
  // deadline_ may move while the loop runs, hence one turn at a time.
  while (is_running() && RealClock().Monotonic() < deadline_) {
    loop_->RunOnce(deadline_);
    if (pending_) Answer();
  }
  if (is_running()) {
    result.set_timed_out(counts_as_timeout_);
    Kill();
    loop_->RunUntil([this] { return !is_running(); },
                    RealClock().Monotonic() + kKillGrace);
  }
  if (child_->exit()) {
    result.set_exit_code(child_->exit()->code);
    result.set_exit_signal(child_->exit()->signal);
  }
  return result;
}

}  // namespace ktstr::guestd
