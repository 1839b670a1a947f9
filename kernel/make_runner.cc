// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/make_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kKeptLines = 30;
constexpr size_t kMaxLineBytes = 4096;

// Cuts a stream of bytes into lines and remembers the last of them.
class LineSplitter {
 public:
  explicit LineSplitter(const MakeRun& run) : run_(run) {}

  void Add(absl::string_view bytes) {
    for (char c : bytes) {
      if (c == '\n') {
        EndLine();
      } else if (line_.size() < kMaxLineBytes) {
        line_ += c;
      }
    }
  }

  void EndLine() {
    if (line_.empty()) return;
    if (run_.on_line) run_.on_line(line_);
    kept_.push_back(std::exchange(line_, ""));
    if (kept_.size() > kKeptLines) kept_.pop_front();
  }

  std::string Kept() const { return absl::StrJoin(kept_, "\n"); }

 private:
  const MakeRun& run_;
  std::string line_;
  std::deque<std::string> kept_;
};

// Reads `output` to its end. Cancelled when cancel_fd speaks first.
absl::Status Drain(const MakeRun& run, int output, LineSplitter& lines) {
  std::string buffer(64 << 10, '\0');
  while (true) {
    pollfd fds[] = {{output, POLLIN, 0}, {run.cancel_fd, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return absl::ErrnoToStatus(errno, "poll");
    }
    if (fds[1].revents != 0) {
      return absl::CancelledError(absl::StrCat(run.what, ": stopped"));
    }
    ssize_t count = read(output, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, "read output");
    if (count == 0) return absl::OkStatus();
    lines.Add(absl::string_view(buffer.data(), count));
  }
}

}  // namespace

absl::Status RunMake(const MakeRun& run) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  UniqueFd empty(open("/dev/null", O_RDONLY | O_CLOEXEC));
  CommandSpec command = run.command;
  command.inherited_fds = {
      {empty.get(), 0}, {write_end.get(), 1}, {write_end.get(), 2}};
  ABSL_ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start(command));
  write_end.Reset();

  LineSplitter lines(run);
  absl::Status drained = Drain(run, read_end.get(), lines);
  lines.EndLine();
  if (!drained.ok()) {
    child.Kill(SIGKILL).IgnoreError();
    child.Wait().IgnoreError();
    return drained;
  }
  ABSL_ASSIGN_OR_RETURN(ExitStatus exit, child.Wait());
  if (exit.ok()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(run.what, " failed (", exit.ToString(),
                   "); its last lines:\n", lines.Kept()));
}

}  // namespace ktstr::kernel
