// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/shell_session.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <chrono>
#include <utility>

#include "grpcpp/create_channel_posix.h"
#include "grpcpp/grpcpp.h"
#include "hostd/guest_session.h"
#include "hostd/text.h"
#include "model/guest_layout.h"

namespace ktstr::hostd {
namespace {

constexpr int kMaxMessageBytes = 2 << 20;

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      PrintableText(status.error_message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShellSession>> ShellSession::Start(
    Options options) {
  UniqueFd over_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd stop_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!over_fd || !stop_fd) return absl::ErrnoToStatus(errno, "eventfd");
  // The constructor is private, which make_unique cannot call.
  std::unique_ptr<ShellSession> session(new ShellSession(
      std::move(options), std::move(over_fd), std::move(stop_fd)));
  ShellSession* self = session.get();
  session->thread_ = Thread("shell-out", [self] { self->Run(); });
  return session;
}

ShellSession::ShellSession(Options options, UniqueFd over_fd, UniqueFd stop_fd)
    : options_(std::move(options)),
      over_fd_(std::move(over_fd)),
      stop_fd_(std::move(stop_fd)) {}

ShellSession::~ShellSession() { Cancel(); }

void ShellSession::Cancel() {
  eventfd_write(stop_fd_.get(), 1);
  context_.TryCancel();
  power_off_context_.TryCancel();
}

absl::Status ShellSession::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

bool ShellSession::Send(const ktstr::v1::ShellInput& input) {
  {
    absl::MutexLock lock(&mutex_);
    auto is_free = [this] {
      mutex_.AssertReaderHeld();
      return state_ == State::kClosed ||
             (state_ == State::kOpen && !is_writing_);
    };
    mutex_.Await(absl::Condition(&is_free));
    if (state_ == State::kClosed) return false;
    is_writing_ = true;
  }
  bool is_written = stream_->Write(input);
  absl::MutexLock lock(&mutex_);
  is_writing_ = false;
  return is_written;
}

void ShellSession::CloseInput() {
  absl::MutexLock lock(&mutex_);
  state_ = State::kClosed;
  auto is_idle = [this] {
    mutex_.AssertReaderHeld();
    return !is_writing_;
  };
  mutex_.Await(absl::Condition(&is_idle));
}

void ShellSession::Run() {
  auto fd = ConnectToGuest(options_.vsock_path, kGuestServicePort,
                           options_.call_timeout, stop_fd_.get());
  absl::Status status = fd.status();
  if (status.ok()) {
    grpc::ChannelArguments args;
    args.SetMaxReceiveMessageSize(kMaxMessageBytes);
    auto channel =
        grpc::CreateCustomInsecureChannelFromFd("guest", fd->Release(), args);
    auto stub = ktstr::v1::Guest::NewStub(channel);
    status = Converse(stub.get());
    // A lost channel cannot carry the wish to power off.
    if (status.ok()) PowerOff(stub.get());
  }
  CloseInput();
  {
    absl::MutexLock lock(&mutex_);
    status_ = std::move(status);
  }
  eventfd_write(over_fd_.get(), 1);
}

absl::Status ShellSession::Converse(ktstr::v1::Guest::Stub* stub) {
  std::unique_ptr<Stream> stream = stub->Shell(&context_);
  ktstr::v1::ShellInput first;
  *first.mutable_start() = options_.start;
  stream->Write(first);
  stream_ = stream.get();
  {
    absl::MutexLock lock(&mutex_);
    state_ = State::kOpen;
  }
  ktstr::v1::ShellOutput output;
  bool has_ended = false;
  while (stream->Read(&output)) {
    if (has_ended) continue;
    has_ended = output.has_end();
    if (has_ended) {
      // Nobody reads a pending message any more: the guest's half is to end.
      output.mutable_end()->set_kind(ktstr::v1::ShellEnd::EXITED);
      output.mutable_end()->clear_message();
    }
    if (output.has_progress() || output.has_console()) continue;
    options_.on_output(output);
    if (!has_ended) continue;
    CloseInput();
    stream->WritesDone();
  }
  CloseInput();
  grpc::Status status = stream->Finish();
  if (has_ended) return absl::OkStatus();
  if (!status.ok()) return FromGrpc(status);
  return absl::DataLossError("guestd ended the shell without its end");
}

void ShellSession::PowerOff(ktstr::v1::Guest::Stub* stub) {
  power_off_context_.set_deadline(
      std::chrono::system_clock::now() +
      absl::ToChronoMilliseconds(options_.call_timeout));
  ktstr::v1::PowerOffResponse response;
  // The machine's typed end is the answer that counts.
  stub->PowerOff(&power_off_context_, {}, &response).ok();
}

}  // namespace ktstr::hostd
