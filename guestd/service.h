// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SERVICE_H_
#define KTSTR_GUESTD_SERVICE_H_

#include <atomic>
#include <functional>
#include <string>

#include "guestd/session.h"
#include "guestd/shell.h"
#include "proto/guest.grpc.pb.h"

namespace ktstr::guestd {

// The gRPC face of one guest.
//
// Threads: gRPC's; the session runs in the thread of its call.
class GuestService : public v1::Guest::Service {
 public:
  struct Callbacks {
    // RunTest or Shell has arrived.
    std::function<void()> on_run;
    // PowerOff was answered (or is about to be).
    std::function<void()> on_power_off;
  };

  // A non-empty `init_error` makes RunTest and Shell fail with it.
  GuestService(SessionOptions options, ShellOptions shell,
               std::string init_error, Callbacks callbacks);

  // FailedPrecondition for a second call and after a failed init; Cancelled
  // when the host stops reading.
  grpc::Status RunTest(grpc::ServerContext* context,
                       const v1::RunTestRequest* request,
                       grpc::ServerWriter<v1::GuestEvent>* writer) override;

  grpc::Status Shell(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<v1::ShellOutput, v1::ShellInput>*
                         stream) override;

  grpc::Status PowerOff(grpc::ServerContext* context,
                        const v1::PowerOffRequest* request,
                        v1::PowerOffResponse* response) override;

 private:
  // Not OK when nothing may run, in the guest or any more.
  grpc::Status Admit();

  const SessionOptions options_;
  const ShellOptions shell_;
  const std::string init_error_;
  const Callbacks callbacks_;
  std::atomic<bool> has_run_ = false;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SERVICE_H_
