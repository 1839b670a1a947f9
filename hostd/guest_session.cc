// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_session.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/poll.h"
#include "base/status_macros.h"
#include "grpcpp/create_channel_posix.h"
#include "grpcpp/grpcpp.h"
#include "hostd/text.h"
#include "model/guest_layout.h"

namespace ktstr::hostd {
namespace {

constexpr int kMaxMessageBytes = 2 << 20;
constexpr size_t kMaxAnswerBytes = 32;

absl::StatusOr<UniqueFd> ConnectUnix(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket path ", path, " is too long"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return absl::ErrnoToStatus(errno, "socket");
  // SAFETY: sockaddr_un starts as sockaddr, as connect(2) requires.
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) != 0) {
    return absl::UnavailableError(
        absl::StrCat("connect ", path, ": ", strerror(errno)));
  }
  return fd;
}

absl::Status AwaitReadable(int fd, int stop_fd, absl::Duration deadline) {
  pollfd fds[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                  {.fd = stop_fd, .events = POLLIN, .revents = 0}};
  ABSL_ASSIGN_OR_RETURN(int ready, PollUntil(absl::MakeSpan(fds), deadline));
  if (fds[1].revents != 0) return absl::CancelledError("session cancelled");
  if (ready == 0) {
    return absl::DeadlineExceededError("vmm did not answer CONNECT in time");
  }
  return absl::OkStatus();
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      PrintableText(status.error_message()));
}

}  // namespace

absl::StatusOr<UniqueFd> ConnectToGuest(const std::string& path, int port,
                                        absl::Duration timeout, int stop_fd) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, ConnectUnix(path));
  std::string request = absl::StrCat("CONNECT ", port, "\n");
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return absl::UnavailableError(
        absl::StrCat("send CONNECT to vmm: ", strerror(errno)));
  }
  const absl::Duration deadline = RealClock().Monotonic() + timeout;
  std::string answer;
  // Byte by byte: what follows the line belongs to the stream.
  while (answer.empty() || answer.back() != '\n') {
    ABSL_RETURN_IF_ERROR(AwaitReadable(fd.get(), stop_fd, deadline));
    char byte;
    ssize_t count = recv(fd.get(), &byte, 1, 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0 || answer.size() >= kMaxAnswerBytes) {
      return absl::UnavailableError(
          absl::StrCat("vmm refused a connection to guest port ", port,
                       answer.empty() ? "" : ": ", PrintableText(answer)));
    }
    answer.push_back(byte);
  }
  if (!absl::StartsWith(answer, "OK ")) {
    return absl::UnavailableError(
        absl::StrCat("vmm answered CONNECT with: ", PrintableText(answer)));
  }
  return fd;
}

absl::StatusOr<std::unique_ptr<GuestSession>> GuestSession::Start(
    Options options) {
  UniqueFd event_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd stop_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_fd || !stop_fd) return absl::ErrnoToStatus(errno, "eventfd");
  // The constructor is private, which make_unique cannot call.
  std::unique_ptr<GuestSession> session(new GuestSession(
      std::move(options), std::move(event_fd), std::move(stop_fd)));
  GuestSession* self = session.get();
  session->thread_ = Thread("guest-session", [self] { self->Run(); });
  return session;
}

GuestSession::GuestSession(Options options, UniqueFd event_fd, UniqueFd stop_fd)
    : options_(std::move(options)),
      event_fd_(std::move(event_fd)),
      stop_fd_(std::move(stop_fd)) {}

GuestSession::~GuestSession() { Cancel(); }

void GuestSession::Cancel() {
  eventfd_write(stop_fd_.get(), 1);
  test_context_.TryCancel();
  power_off_context_.TryCancel();
}

GuestSession::View GuestSession::Peek() const {
  absl::MutexLock lock(&mutex_);
  View view;
  view.record.phases = view_.record.phases;
  view.record.is_finished = view_.record.is_finished;
  view.last_event = view_.last_event;
  view.is_done = view_.is_done;
  view.status = view_.status;
  return view;
}

GuestSession::View GuestSession::Take() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(view_, View());
}

void GuestSession::Notify() { eventfd_write(event_fd_.get(), 1); }

void GuestSession::Run() {
  auto fd = ConnectToGuest(options_.vsock_path, kGuestServicePort,
                           options_.call_timeout, stop_fd_.get());
  absl::Status status = fd.status();
  if (status.ok()) {
    grpc::ChannelArguments args;
    args.SetMaxReceiveMessageSize(kMaxMessageBytes);
    auto channel =
        grpc::CreateCustomInsecureChannelFromFd("guest", fd->Release(), args);
    auto stub = ktstr::v1::Guest::NewStub(channel);
    status = RunTest(stub.get());
    // A lost channel cannot carry the wish to power off.
    if (status.code() != absl::StatusCode::kUnavailable &&
        status.code() != absl::StatusCode::kCancelled) {
      PowerOff(stub.get());
    }
  }
  {
    absl::MutexLock lock(&mutex_);
    view_.is_done = true;
    view_.status = status;
  }
  Notify();
}

absl::Status GuestSession::RunTest(ktstr::v1::Guest::Stub* stub) {
  auto stream = stub->RunTest(&test_context_, options_.request);
  ktstr::v1::GuestEvent event;
  bool is_finished = false;
  // What comes after the last message is read and dropped until the guest ends
  // the stream or the owner loses patience.
  while (stream->Read(&event)) {
    if (is_finished) continue;
    absl::Duration now = options_.clock->Monotonic();
    {
      absl::MutexLock lock(&mutex_);
      view_.record.Apply(event, now);
      view_.last_event = now;
      is_finished = view_.record.is_finished;
    }
    Notify();
  }
  grpc::Status status = stream->Finish();
  if (is_finished) return absl::OkStatus();
  if (!status.ok()) return FromGrpc(status);
  return absl::DataLossError("guestd ended its report before it was finished");
}

void GuestSession::PowerOff(ktstr::v1::Guest::Stub* stub) {
  power_off_context_.set_deadline(
      std::chrono::system_clock::now() +
      absl::ToChronoMilliseconds(options_.call_timeout));
  ktstr::v1::PowerOffResponse response;
  // The machine's typed end is the answer that counts.
  stub->PowerOff(&power_off_context_, {}, &response).ok();
}

}  // namespace ktstr::hostd
