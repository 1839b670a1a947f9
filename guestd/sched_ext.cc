// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/sched_ext.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::guestd {
namespace {

constexpr size_t kMaxUeventBytes = 8192;

}  // namespace

SchedExtState ParseSchedExtState(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text == "disabled") return SchedExtState::kDisabled;
  if (text == "enabling") return SchedExtState::kEnabling;
  if (text == "enabled") return SchedExtState::kEnabled;
  if (text == "disabling") return SchedExtState::kDisabling;
  return SchedExtState::kUnknown;
}

bool IsSchedExtUevent(absl::string_view message) {
  absl::string_view headline = message.substr(0, message.find('\0'));
  size_t at = headline.find('@');
  if (at == absl::string_view::npos) return false;
  absl::string_view path = headline.substr(at + 1);
  constexpr absl::string_view kPath = "/kernel/sched_ext";
  return path.substr(0, kPath.size()) == kPath &&
         (path.size() == kPath.size() || path[kPath.size()] == '/');
}

absl::StatusOr<UniqueFd> OpenKernelUevents() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     NETLINK_KOBJECT_UEVENT));
  if (!fd) return absl::ErrnoToStatus(errno, "open kernel uevents");
  int size = 1 << 20;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;  // what the kernel sends, not udev
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
      0) {
    return absl::ErrnoToStatus(errno, "bind kernel uevents");
  }
  return fd;
}

absl::StatusOr<std::unique_ptr<SchedExt>> SchedExt::Create(
    const Options& options, EventLoop* loop) {
  if (!FileExists(JoinPath(options.dir, "state"))) {
    return absl::FailedPreconditionError(
        absl::StrCat("this kernel has no sched_ext: ", options.dir,
                     "/state does not exist (CONFIG_SCHED_CLASS_EXT=y is "
                     "needed)"));
  }
  ABSL_ASSIGN_OR_RETURN(UniqueFd uevents, options.open_uevents());
  std::unique_ptr<SchedExt> sched_ext(
      new SchedExt(options.dir, std::move(uevents), loop));
  absl::StatusOr<UniqueFd> messages = options.open_messages();
  if (messages.ok()) sched_ext->ListenTo(*std::move(messages));
  return sched_ext;
}

SchedExt::SchedExt(std::string dir, UniqueFd uevents, EventLoop* loop)
    : dir_(std::move(dir)), uevents_(std::move(uevents)), loop_(loop) {
  loop_->Watch(uevents_.get(), POLLIN, [this] { OnUevents(); });
}

void SchedExt::ListenTo(UniqueFd messages) {
  messages_ = std::make_unique<KernelMessages>(
      std::move(messages), loop_, [this](absl::string_view message) {
        if (exit_reader_.Add(message) && on_change_) on_change_();
      });
}

SchedExt::~SchedExt() { loop_->Forget(uevents_.get()); }

SchedExtState SchedExt::ReadState() const {
  absl::StatusOr<std::string> text = ReadFile(JoinPath(dir_, "state"), 4096);
  return text.ok() ? ParseSchedExtState(*text) : SchedExtState::kUnknown;
}

std::string SchedExt::ReadOps() const {
  absl::StatusOr<std::string> text = ReadFile(JoinPath(dir_, "root/ops"), 4096);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : "";
}

absl::optional<v1::SchedulerExit> SchedExt::ReadExit() {
  if (!messages_) return absl::nullopt;
  // In this order: once it is disabled, all has been said.
  const SchedExtState state = ReadState();
  messages_->Drain();
  if (exit_reader_.exit()) return exit_reader_.exit();
  if (state != SchedExtState::kDisabled) return absl::nullopt;
  v1::SchedulerExit silent;
  silent.set_kind(v1::EXIT_DONE);
  return silent;
}

void SchedExt::OnUevents() {
  bool has_changed = false;
  char buffer[kMaxUeventBytes];
  while (true) {
    ssize_t count = recv(uevents_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    // ENOBUFS: announcements were lost; the state itself is not.
    if (count < 0 && errno == ENOBUFS) {
      has_changed = true;
      continue;
    }
    if (count <= 0) break;
    has_changed |= IsSchedExtUevent(absl::string_view(buffer, count));
  }
  if (has_changed && on_change_) on_change_();
}

bool SchedExt::AwaitDisabled(absl::Duration deadline) {
  absl::Duration pause = absl::Milliseconds(1);
  while (true) {
    SchedExtState state = ReadState();
    if (state == SchedExtState::kDisabled) return true;
    absl::Duration now = RealClock().Monotonic();
    if (now >= deadline) return false;
    absl::Duration wake = deadline;
    if (state != SchedExtState::kEnabled) {
      wake = std::min(deadline, now + pause);
      pause = std::min(pause * 2, absl::Milliseconds(50));
    }
    loop_->RunOnce(wake);
  }
}

}  // namespace ktstr::guestd
