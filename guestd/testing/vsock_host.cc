// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The host's side of one guest, by hand: waits for the hello on
// VSOCK_PATH_1024, connects back through VSOCK_PATH, runs one test and powers
// the guest off.
//
//   vsock_host VSOCK_PATH TEST [with-scheduler]
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/proto_time.h"
#include "guestd/testing/play_host.h"
#include "model/guest_layout.h"
#include "proto/guest.pb.h"

namespace {

void ReadExactly(int fd, char* to, size_t size) {
  while (size > 0) {
    ssize_t count = read(fd, to, size);
    if (count <= 0) {
      fprintf(stderr, "the guest hung up\n");
      _exit(1);
    }
    to += count;
    size -= count;
  }
}

ktstr::v1::Hello ReadHello(int fd) {
  unsigned char head[4];
  ReadExactly(fd, reinterpret_cast<char*>(head), sizeof(head));
  uint32_t size = head[0] | head[1] << 8 | head[2] << 16;
  std::string payload(size % ktstr::kMaxHelloBytes, '\0');
  ReadExactly(fd, payload.data(), payload.size());
  ktstr::v1::Hello hello;
  if (!hello.ParseFromString(payload)) fprintf(stderr, "damaged hello\n");
  return hello;
}

int ConnectToGuest(const std::string& path) {
  int fd = ktstr::guestd::ConnectUnix(path);
  std::string line = absl::StrCat("CONNECT ", ktstr::kGuestServicePort, "\n");
  if (write(fd, line.data(), line.size()) < 0) perror("write");
  std::string answer;
  for (char byte = 0; byte != '\n'; answer += byte) ReadExactly(fd, &byte, 1);
  printf("answer: %s", answer.c_str());
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::string path = argv[1];
  int listener =
      ktstr::guestd::ListenUnix(absl::StrCat(path, "_", ktstr::kHostHelloPort));
  absl::Duration start = ktstr::RealClock().Monotonic();
  pollfd waited = {.fd = listener, .events = POLLIN, .revents = 0};
  if (poll(&waited, 1, 120 * 1000) != 1) return 1;
  int hello_fd = accept(listener, nullptr, nullptr);
  ktstr::v1::Hello hello = ReadHello(hello_fd);
  printf("hello after %.3f s: %s\n",
         absl::ToDoubleSeconds(ktstr::RealClock().Monotonic() - start),
         hello.ShortDebugString().c_str());
  ktstr::v1::RunTestRequest request;
  request.set_test(argv[2]);
  request.set_suite_path(ktstr::kGuestSuitePath);
  if (argc > 3) request.set_scheduler_path(ktstr::kGuestSchedulerPath);
  *request.mutable_test_timeout() = ktstr::ToProtoDuration(absl::Seconds(20));
  ktstr::guestd::PlayHost(ConnectToGuest(path), request);
  char byte;
  while (read(hello_fd, &byte, 1) > 0) {
  }
  printf("guest gone after %.3f s\n",
         absl::ToDoubleSeconds(ktstr::RealClock().Monotonic() - start));
}
