// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/testing/play_host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "grpcpp/create_channel_posix.h"
#include "grpcpp/grpcpp.h"
#include "proto/guest.grpc.pb.h"

namespace ktstr::guestd {
namespace {

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

[[noreturn]] void Fail(const std::string& what) {
  perror(what.c_str());
  exit(1);
}

void Print(const v1::GuestEvent& event) {
  printf("%8.3f %s\n", event.at().seconds() + event.at().nanos() / 1e9,
         event.ShortDebugString().substr(0, 400).c_str());
  fflush(stdout);
}

}  // namespace

int ConnectUnix(const std::string& path) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = UnixAddress(path);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
      0) {
    Fail("connect " + path);
  }
  return fd;
}

int ListenUnix(const std::string& path) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address = UnixAddress(path);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd, 4) != 0) {
    Fail("listen on " + path);
  }
  return fd;
}

void PlayHost(int fd, const v1::RunTestRequest& request) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  auto stub =
      v1::Guest::NewStub(grpc::CreateInsecureChannelFromFd("guest", fd));
  grpc::ClientContext context;
  auto reader = stub->RunTest(&context, request);
  v1::GuestEvent event;
  while (reader->Read(&event)) Print(event);
  grpc::Status status = reader->Finish();
  printf("RunTest: %d %s\n", status.error_code(),
         status.error_message().c_str());
  grpc::ClientContext power_context;
  v1::PowerOffResponse response;
  status = stub->PowerOff(&power_context, {}, &response);
  printf("PowerOff: %d %s\n", status.error_code(),
         status.error_message().c_str());
  fflush(stdout);
}

}  // namespace ktstr::guestd
