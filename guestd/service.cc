// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/service.h"

#include <utility>

namespace ktstr::guestd {
namespace {

grpc::Status ToGrpc(const absl::Status& status) {
  // The codes are the same by design.
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()));
}

}  // namespace

GuestService::GuestService(SessionOptions options, ShellOptions shell,
                           std::string init_error, Callbacks callbacks)
    : options_(std::move(options)),
      shell_(std::move(shell)),
      init_error_(std::move(init_error)),
      callbacks_(std::move(callbacks)) {}

grpc::Status GuestService::Admit() {
  if (!init_error_.empty()) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, init_error_);
  }
  if (has_run_.exchange(true)) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                        "this guest has run its test or shell already");
  }
  callbacks_.on_run();
  return grpc::Status::OK;
}

grpc::Status GuestService::RunTest(grpc::ServerContext* context,
                                   const v1::RunTestRequest* request,
                                   grpc::ServerWriter<v1::GuestEvent>* writer) {
  if (grpc::Status status = Admit(); !status.ok()) return status;
  Session session(options_, [&](const v1::GuestEvent& event) {
    return !context->IsCancelled() && writer->Write(event);
  });
  return ToGrpc(session.Run(*request));
}

grpc::Status GuestService::Shell(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::ShellOutput, v1::ShellInput>* stream) {
  v1::ShellInput first;
  if (!stream->Read(&first) || !first.has_start()) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                        "the first message of a shell must be its start");
  }
  if (grpc::Status status = Admit(); !status.ok()) return status;
  guestd::Shell shell(
      shell_, [stream](v1::ShellInput* input) { return stream->Read(input); },
      [&](const v1::ShellOutput& output) {
        return !context->IsCancelled() && stream->Write(output);
      });
  return ToGrpc(shell.Run(first.start()));
}

grpc::Status GuestService::PowerOff(grpc::ServerContext*,
                                    const v1::PowerOffRequest*,
                                    v1::PowerOffResponse*) {
  callbacks_.on_power_off();
  return grpc::Status::OK;
}

}  // namespace ktstr::guestd
