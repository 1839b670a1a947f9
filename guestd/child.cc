// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::guestd {
namespace {

constexpr size_t kPieceBytes = 64 << 10;
// A flood must not keep the loop from its other descriptors.
constexpr int kPiecesPerTurn = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<Child>> Child::Start(CommandSpec spec,
                                                    EventLoop* loop,
                                                    Callbacks callbacks) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd null, OpenFile("/dev/null", O_RDONLY));
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  // Only this end: the child's must block as programs expect.
  fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  spec.new_process_group = true;
  spec.ordinary_scheduling = true;
  spec.inherited_fds.insert(
      spec.inherited_fds.end(),
      {{null.get(), 0}, {writer.get(), 1}, {writer.get(), 2}});
  ABSL_ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start(spec));
  return std::unique_ptr<Child>(new Child(std::move(process), std::move(reader),
                                          loop, std::move(callbacks)));
}

Child::Child(Subprocess process, UniqueFd output, EventLoop* loop,
             Callbacks callbacks)
    : loop_(loop),
      callbacks_(std::move(callbacks)),
      process_(std::move(process)),
      output_(std::move(output)) {
  loop_->Watch(output_.get(), POLLIN, [this] { OnOutput(); });
  loop_->Watch(process_.pidfd(), POLLIN, [this] { OnExit(); });
}

Child::~Child() {
  Kill(SIGKILL);
  loop_->Forget(process_.pidfd());
  loop_->Forget(output_.get());
}

void Child::Kill(int signal) {
  // The group keeps its number as long as it has a member, and without one the
  // call fails: no stranger can be hit before this child's pid is reused, which
  // the pid counter of a guest does not reach.
  kill(-process_.pid(), signal);
}

void Child::Deliver(absl::string_view bytes) {
  if (delivered_bytes_ > kMaxOutputBytes) return;
  delivered_bytes_ += bytes.size();
  callbacks_.on_output(bytes);
  if (delivered_bytes_ > kMaxOutputBytes) {
    callbacks_.on_output(absl::StrCat("\n[guestd: more than ", kMaxOutputBytes,
                                      " bytes of output; the rest is "
                                      "dropped]\n"));
  }
}

bool Child::ReadOutput() {
  std::string piece(kPieceBytes, '\0');
  for (int i = 0; i < kPiecesPerTurn; ++i) {
    ssize_t count = read(output_.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    Deliver(absl::string_view(piece.data(), count));
  }
  return true;
}

void Child::OnOutput() {
  if (ReadOutput()) return;
  loop_->Forget(output_.get());
}

void Child::OnExit() {
  loop_->Forget(process_.pidfd());
  // A pipe holds less than this reads; what descendants write later arrives by
  // OnOutput().
  if (!ReadOutput()) loop_->Forget(output_.get());
  absl::StatusOr<ExitStatus> exit = process_.Wait();
  exit_ = exit.ok() ? *exit : ExitStatus{.code = 127};
  callbacks_.on_exit(*exit_);
}

}  // namespace ktstr::guestd
