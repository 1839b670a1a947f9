// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/scheduler_control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "proto/test_frame.pb.h"

namespace ktstr::internal {
namespace {

constexpr size_t kMaxPacketBytes = 64 << 10;

class GuestdControl : public SchedulerControl {
 public:
  GuestdControl(int fd, std::optional<int> pid) : fd_(fd), pid_(pid) {
    // Programs a body starts have no business with it.
    fcntl(fd_, F_SETFD, FD_CLOEXEC);
  }

  absl::Status Attach(const Args& args) override {
    return Ask(v1::ControlRequest::ATTACH, args);
  }
  absl::Status Detach() override {
    return Ask(v1::ControlRequest::DETACH, std::nullopt);
  }
  absl::Status Replace(const Args& args) override {
    return Ask(v1::ControlRequest::REPLACE, args);
  }
  std::optional<int> pid() const override { return pid_; }

 private:
  absl::Status Ask(v1::ControlRequest::Action action, const Args& args) {
    v1::ControlRequest request;
    request.set_action(action);
    if (args) {
      request.set_has_args(true);
      request.mutable_args()->Assign(args->begin(), args->end());
    }
    const std::string packet = request.SerializeAsString();
    if (packet.size() > kMaxPacketBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("arguments of a scheduler take ", packet.size(),
                       " bytes, more than ", kMaxPacketBytes));
    }
    ssize_t count = 0;
    do {
      count = send(fd_, packet.data(), packet.size(), MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return Silence(strerror(errno));
    return Answer();
  }

  absl::Status Answer() {
    std::string packet(kMaxPacketBytes, '\0');
    ssize_t count = 0;
    do {
      count = recv(fd_, packet.data(), packet.size(), 0);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return Silence(count < 0 ? strerror(errno) : "it is gone");
    packet.resize(static_cast<size_t>(count));
    v1::ControlResponse response;
    if (!response.ParseFromString(packet)) return Silence("it talks nonsense");
    pid_.reset();
    if (response.scheduler_pid() > 0) pid_ = response.scheduler_pid();
    return absl::Status(static_cast<absl::StatusCode>(response.code()),
                        response.message());
  }

  static absl::Status Silence(const char* why) {
    return absl::UnavailableError(
        absl::StrCat("guestd, asked for a scheduler, does not answer: ", why));
  }

  const int fd_;
  std::optional<int> pid_;
};

}  // namespace

std::unique_ptr<SchedulerControl> MakeSchedulerControl(int fd,
                                                       std::optional<int> pid) {
  return std::make_unique<GuestdControl>(fd, pid);
}

}  // namespace ktstr::internal
