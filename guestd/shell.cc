// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "guestd/child_signal.h"
#include "guestd/environment.h"
#include "guestd/leftovers.h"

namespace ktstr::guestd {
namespace {

constexpr size_t kPieceBytes = 64 << 10;
// A flood must not keep the loop from its other descriptors.
constexpr int kPiecesPerTurn = 4;
// What may still be in pipes and terminals when their writer has ended.
constexpr size_t kMaxDrainedBytes = 1 << 20;
constexpr int kMaxWindow = 65535;
constexpr absl::Duration kLinkTimeout = absl::Seconds(60);
constexpr char kTools[] =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

absl::Status CheckWindow(const v1::WindowSize& window) {
  for (int value : {window.rows(), window.columns()}) {
    if (value < 0 || value > kMaxWindow) {
      return absl::InvalidArgumentError(
          absl::StrCat("window of ", window.rows(), " rows and ",
                       window.columns(), " columns, accepted are 0 to 65535"));
    }
  }
  return absl::OkStatus();
}

winsize ToKernel(const v1::WindowSize& window) {
  winsize size = {};
  size.ws_row = static_cast<unsigned short>(window.rows());
  size.ws_col = static_cast<unsigned short>(window.columns());
  return size;
}

std::vector<std::string> Environment(const v1::ShellStart& start) {
  std::vector<std::string> entries = LibraryEnvironment();
  entries.push_back(absl::StrCat("PATH=", kGuestIncludeDir, ":", kTools));
  entries.push_back(absl::StrCat("KTSTR_TOPOLOGY=", start.topology()));
  entries.push_back("PS1=\\w # ");
  if (!start.term().empty()) {
    entries.push_back(absl::StrCat("TERM=", start.term()));
  }
  if (!start.colorterm().empty()) {
    entries.push_back(absl::StrCat("COLORTERM=", start.colorterm()));
  }
  return entries;
}

std::string Banner(const v1::ShellStart& start) {
  utsname names = {};
  uname(&names);
  std::string text = absl::StrCat(
      "ktstr shell: Linux ", names.release, ", ", start.topology(), ", ",
      sysconf(_SC_NPROCESSORS_ONLN), " CPUs, ",
      sysconf(_SC_PHYS_PAGES) / ((1 << 20) / sysconf(_SC_PAGESIZE)),
      " MiB\r\n");
  if (access(kGuestIncludeDir, F_OK) == 0) {
    absl::StrAppend(&text, "files from the host: ", kGuestIncludeDir, "\r\n");
  }
  return absl::StrCat(text, "Ctrl-A x ends the guest\r\n");
}

absl::Status MakePipe(UniqueFd& reader, UniqueFd& writer) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  reader.Reset(fds[0]);
  writer.Reset(fds[1]);
  return absl::OkStatus();
}

// Only our ends: the child's must block as programs expect.
void MakeNonBlocking(const UniqueFd& fd) {
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
}

}  // namespace

Shell::Shell(ShellOptions options, Receive receive, Emit emit)
    : options_(std::move(options)),
      receive_(std::move(receive)),
      emit_(std::move(emit)),
      input_over_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      shell_over_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Shell::~Shell() = default;

absl::Status Shell::OpenTerminal(const v1::WindowSize& window,
                                 CommandSpec& spec) {
  UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) {
    return absl::ErrnoToStatus(
        errno, "open /dev/ptmx (the kernel needs CONFIG_UNIX98_PTYS)");
  }
  if (unlockpt(master.get()) != 0) {
    return absl::ErrnoToStatus(errno, "unlock pseudo-terminal");
  }
  UniqueFd slave(
      ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return absl::ErrnoToStatus(errno, "open pseudo-terminal");
  winsize size = ToKernel(window);
  ioctl(master.get(), TIOCSWINSZ, &size);
  spec.controls_terminal = true;
  for (int fd : {0, 1, 2}) spec.inherited_fds.push_back({slave.get(), fd});
  child_ends_[0] = std::move(slave);
  MakeNonBlocking(master);
  input_ = std::move(master);
  has_terminal_ = true;
  return absl::OkStatus();
}

absl::Status Shell::OpenPipes(CommandSpec& spec) {
  ABSL_RETURN_IF_ERROR(MakePipe(child_ends_[0], input_));
  ABSL_RETURN_IF_ERROR(MakePipe(out_, child_ends_[1]));
  ABSL_RETURN_IF_ERROR(MakePipe(err_, child_ends_[2]));
  for (const UniqueFd* fd : {&input_, &out_, &err_}) MakeNonBlocking(*fd);
  for (int i : {0, 1, 2})
    spec.inherited_fds.push_back({child_ends_[i].get(), i});
  return absl::OkStatus();
}

absl::StatusOr<CommandSpec> Shell::Prepare(const v1::ShellStart& start) {
  CommandSpec spec;
  spec.argv = {options_.busybox, "sh"};
  spec.extra_env = Environment(start);
  spec.working_dir = options_.working_dir;
  spec.ordinary_scheduling = true;
  if (start.command().empty()) {
    ABSL_RETURN_IF_ERROR(OpenTerminal(start.window(), spec));
  } else {
    spec.argv.insert(spec.argv.end(), {"-c", start.command()});
    ABSL_RETURN_IF_ERROR(OpenPipes(spec));
  }
  return spec;
}

// Without the links the shell still runs its own tools; a failure shows where
// somebody misses one.
void Shell::LinkApplets() {
  if (options_.applet_dir.empty()) return;
  RunCommand(
      {.argv = {options_.busybox, "--install", "-s", options_.applet_dir},
       .ordinary_scheduling = true},
      kLinkTimeout)
      .IgnoreError();
}

absl::Status Shell::Run(const v1::ShellStart& start) {
  if (!input_over_ || !shell_over_) {
    return absl::ResourceExhaustedError("no descriptors left for a shell");
  }
  ABSL_RETURN_IF_ERROR(CheckWindow(start.window()));
  LinkApplets();
  ABSL_ASSIGN_OR_RETURN(CommandSpec spec, Prepare(start));
  ChildSignal child_signal;
  ABSL_ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start(spec));
  process_ = std::make_unique<Subprocess>(std::move(process));
  for (UniqueFd& fd : child_ends_) fd.Reset();
  v1::ShellOutput started;
  started.set_started(true);
  Send(started);
  if (has_terminal_) SendText(Banner(start));

  loop_.Watch(process_->pidfd(), POLLIN, [this] { OnExit(); });
  loop_.Watch(input_over_.get(), POLLIN, [this] { is_host_gone_ = true; });
  if (options_.is_init) {
    loop_.Watch(child_signal.fd(), POLLIN, [&] {
      child_signal.Clear();
      ReapOrphans({process_->pid()});
    });
  }
  const std::pair<int, bool> outputs[] = {
      {has_terminal_ ? input_.get() : out_.get(), false}, {err_.get(), true}};
  for (const auto& [fd, is_err] : outputs) {
    if (fd < 0) continue;
    loop_.Watch(fd, POLLIN, [this, fd = fd, is_err = is_err] {
      if (!ForwardOutput(fd, is_err)) loop_.Forget(fd);
    });
  }
  Thread input("shell-input", [this] { TakeInput(); });
  while (!has_ended_ && !is_host_gone_) {
    loop_.RunOnce(absl::InfiniteDuration());
  }
  if (!has_ended_) process_->Kill(SIGKILL).IgnoreError();
  eventfd_write(shell_over_.get(), 1);
  input.Join();
  return has_ended_ ? absl::OkStatus()
                    : absl::CancelledError("the host is gone");
}

void Shell::TakeInput() {
  v1::ShellInput message;
  while (receive_(&message)) {
    switch (message.input_case()) {
      case v1::ShellInput::kData:
        Deliver(message.data());
        break;
      case v1::ShellInput::kWindow:
        Resize(message.window());
        break;
      case v1::ShellInput::kClosed:
        CloseInput();
        break;
      default:
        break;
    }
  }
  eventfd_write(input_over_.get(), 1);
}

void Shell::Deliver(absl::string_view bytes) {
  while (!bytes.empty() && input_) {
    ssize_t count = write(input_.get(), bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    // A command that reads no more; the rest of its input goes nowhere.
    if (errno != EAGAIN) return;
    pollfd waited[2] = {
        {.fd = input_.get(), .events = POLLOUT, .revents = 0},
        {.fd = shell_over_.get(), .events = POLLIN, .revents = 0}};
    poll(waited, 2, -1);
    if (waited[1].revents != 0) return;
  }
}

void Shell::Resize(const v1::WindowSize& window) {
  if (!has_terminal_ || !CheckWindow(window).ok()) return;
  winsize size = ToKernel(window);
  ioctl(input_.get(), TIOCSWINSZ, &size);
}

void Shell::CloseInput() {
  // A terminal says Ctrl-D instead, and its master is read from as well.
  if (!has_terminal_) input_.Reset();
}

bool Shell::ForwardOutput(int fd, bool is_err) {
  std::string piece(kPieceBytes, '\0');
  for (int i = 0; i < kPiecesPerTurn && !is_host_gone_; ++i) {
    ssize_t count = read(fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;  // EIO: no slave is open any more
    if (count == 0) return false;
    SendText(absl::string_view(piece.data(), count), is_err);
  }
  return true;
}

// What the shell itself wrote is in pipe or terminal; others that write on do
// not hold up its end.
void Shell::DrainOutput() {
  std::string piece(kPieceBytes, '\0');
  const std::pair<int, bool> outputs[] = {
      {has_terminal_ ? input_.get() : out_.get(), false}, {err_.get(), true}};
  for (const auto& [fd, is_err] : outputs) {
    size_t drained = 0;
    while (fd >= 0 && drained < kMaxDrainedBytes && !is_host_gone_) {
      ssize_t count = read(fd, piece.data(), piece.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      drained += static_cast<size_t>(count);
      SendText(absl::string_view(piece.data(), count), is_err);
    }
  }
}

void Shell::OnExit() {
  loop_.Forget(process_->pidfd());
  absl::StatusOr<ExitStatus> exit = process_->Wait();
  DrainOutput();
  has_ended_ = true;
  v1::ShellOutput output;
  v1::ShellEnd& end = *output.mutable_end();
  end.set_kind(v1::ShellEnd::EXITED);
  end.set_exit_code(exit.ok() ? exit->code : 127);
  end.set_exit_signal(exit.ok() ? exit->signal : 0);
  Send(output);
}

void Shell::Send(const v1::ShellOutput& output) {
  if (!is_host_gone_ && !emit_(output)) is_host_gone_ = true;
}

void Shell::SendText(absl::string_view text, bool is_err) {
  v1::ShellOutput output;
  (is_err ? output.mutable_err() : output.mutable_out())
      ->assign(text.data(), text.size());
  Send(output);
}

}  // namespace ktstr::guestd
