// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/bounded_call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace ktstr::internal {

absl::Status RunBounded(const std::string& what, absl::Duration timeout,
                        const std::function<int()>& call) {
  const pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, absl::StrCat(what, ": fork"));
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(getppid() == parent ? call() : EINTR);
  }
  UniqueFd pidfd(syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  timespec limit = absl::ToTimespec(timeout);
  int ready = 0;
  do {
    ready = ppoll(&ended, 1, &limit, nullptr);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    // A task stuck in the kernel is reaped by init later; waiting for it here
    // would make the limit worthless.
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, WNOHANG);
    return absl::DeadlineExceededError(
        absl::StrCat(what, ": no answer from the kernel within ",
                     absl::FormatDuration(timeout)));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) {
    return absl::InternalError(absl::StrCat(what, ": the writer was killed"));
  }
  if (WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(WEXITSTATUS(status), what);
}

absl::Status WriteBounded(const std::string& path, const std::string& bytes,
                          absl::Duration timeout) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd file, OpenFile(path, O_WRONLY));
  return RunBounded(
      absl::StrCat("write \"", absl::StripAsciiWhitespace(bytes), "\" to ",
                   path),
      timeout, [&] {
        ssize_t written = write(file.get(), bytes.data(), bytes.size());
        return written == static_cast<ssize_t>(bytes.size()) ? 0 : errno;
      });
}

}  // namespace ktstr::internal
