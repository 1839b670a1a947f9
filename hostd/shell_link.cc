// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/shell_link.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <utility>

#include "grpcpp/grpcpp.h"
#include "hostd/text.h"

namespace ktstr::hostd {

absl::StatusOr<std::unique_ptr<ShellLink>> ShellLink::Create() {
  UniqueFd stop_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_fd) return absl::ErrnoToStatus(errno, "eventfd");
  // The constructor is private, which make_unique cannot call.
  return std::unique_ptr<ShellLink>(new ShellLink(std::move(stop_fd)));
}

void ShellLink::Attach(ktstr::v1::Shells::StubInterface* stub,
                       const std::string& token) {
  stream_ = stub->Attach(&context_);
  ktstr::v1::AttachShellRequest first;
  first.set_token(token);
  stream_->Write(first);
}

bool ShellLink::Receive(ktstr::v1::ShellInput* input) {
  if (stream_->Read(input)) return true;
  eventfd_write(stop_fd_.get(), 1);
  return false;
}

void ShellLink::Send(const ktstr::v1::ShellOutput& output) {
  ktstr::v1::AttachShellRequest request;
  *request.mutable_output() = output;
  absl::MutexLock lock(&write_mutex_);
  if (has_ended_) return;
  has_ended_ = output.has_end();
  stream_->Write(request);
}

void ShellLink::SendProgress(absl::string_view text) {
  ktstr::v1::ShellOutput output;
  output.set_progress(std::string(text));
  Send(output);
}

void ShellLink::Stop() {
  context_.TryCancel();
  eventfd_write(stop_fd_.get(), 1);
}

void ShellLink::Close() {
  absl::MutexLock lock(&write_mutex_);
  has_ended_ = true;
  stream_->WritesDone();
}

absl::Status ShellLink::Finish() {
  grpc::Status status = stream_->Finish();
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      PrintableText(status.error_message()));
}

}  // namespace ktstr::hostd
