// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The whole user space of a guest whose boot is timed from outside: opens a
// stream to the host, which is how guestd says hello, too. Says nothing on the
// console of its own.
//
// With "panic" among the kernel's arguments: brings the kernel down instead, by
// ending as init.
#include <linux/vm_sockets.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "panic") == 0) return 7;
  }
  constexpr unsigned kHelloPort = 1024;
  const int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
  sockaddr_vm host = {};
  host.svm_family = AF_VSOCK;
  host.svm_cid = VMADDR_CID_HOST;
  host.svm_port = kHelloPort;
  connect(fd, reinterpret_cast<const sockaddr*>(&host), sizeof(host));
  reboot(RB_POWER_OFF);
  return 1;
}
