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

GuestService::GuestService(SessionOptions options, std::string init_error,
                           Callbacks callbacks)
    : options_(std::move(options)),
      init_error_(std::move(init_error)),
      callbacks_(std::move(callbacks)) {}

grpc::Status GuestService::RunTest(grpc::ServerContext* context,
                                   const v1::RunTestRequest* request,
                                   grpc::ServerWriter<v1::GuestEvent>* writer) {
  if (!init_error_.empty()) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, init_error_);
  }
  if (has_run_.exchange(true)) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                        "this guest has run its test already");
  }
  callbacks_.on_run();
  Session session(options_, [&](const v1::GuestEvent& event) {
    return !context->IsCancelled() && writer->Write(event);
  });
  return ToGrpc(session.Run(*request));
}

grpc::Status GuestService::PowerOff(grpc::ServerContext*,
                                    const v1::PowerOffRequest*,
                                    v1::PowerOffResponse*) {
  callbacks_.on_power_off();
  return grpc::Status::OK;
}

}  // namespace ktstr::guestd
