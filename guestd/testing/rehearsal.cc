// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// guestd and its host in one program, to rehearse a session on a real kernel
// without vsock: packed as /init, it prepares the guest as guestd does, serves
// on unix sockets, plays hostd against itself with what lies in /ktstr, prints
// every event on the console and powers off.
//
// Kernel command line: rehearse.test=NAME, rehearse.scheduler=0|1,
// rehearse.args=A,B, rehearse.timeout_ms=N.
#include <signal.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "guestd/channel.h"
#include "guestd/cmdline.h"
#include "guestd/daemon.h"
#include "guestd/mounts.h"
#include "guestd/priority.h"
#include "guestd/testing/play_host.h"
#include "model/guest_layout.h"
#include "proto/guest.pb.h"

namespace {

constexpr char kSocketPath[] = "/run/guest";

std::string Parameter(const std::string& cmdline, const std::string& name,
                      const std::string& otherwise) {
  std::string all = ktstr::guestd::ModuleParameters(cmdline, "rehearse");
  size_t at = (" " + all).find(" " + name + "=");
  if (at == std::string::npos) return otherwise;
  std::string value = all.substr(at + name.size() + 1);
  return value.substr(0, value.find(' '));
}

ktstr::v1::RunTestRequest MakeRequest(const std::string& cmdline) {
  int timeout_ms = 30000;
  (void)absl::SimpleAtoi(Parameter(cmdline, "timeout_ms", "30000"),
                         &timeout_ms);
  ktstr::v1::RunTestRequest request;
  request.set_test(Parameter(cmdline, "test", "passes"));
  request.set_suite_path(ktstr::kGuestSuitePath);
  if (Parameter(cmdline, "scheduler", "0") == "1") {
    request.set_scheduler_path(ktstr::kGuestSchedulerPath);
    request.set_scheduler_name("rehearsed");
    for (absl::string_view arg : absl::StrSplit(Parameter(cmdline, "args", ""),
                                                ',', absl::SkipEmpty())) {
      request.add_scheduler_args(std::string(arg));
    }
  }
  *request.mutable_test_timeout() =
      ktstr::ToProtoDuration(absl::Milliseconds(timeout_ms));
  return request;
}

ktstr::guestd::Channel MakeChannel(ktstr::UniqueFd& host_end) {
  ktstr::guestd::Channel channel;
  channel.listener.Reset(ktstr::guestd::ListenUnix(kSocketPath));
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    perror("socketpair");
  }
  channel.host.Reset(fds[0]);
  host_end.Reset(fds[1]);
  return channel;
}

}  // namespace

int main() {
  if (getpid() != 1) return 2;
  signal(SIGPIPE, SIG_IGN);
  absl::Duration started = ktstr::RealClock().Monotonic();
  printf("prepare: %s\n",
         ktstr::guestd::PrepareFilesystems().ToString().c_str());
  printf("complete: %s\n",
         ktstr::guestd::CheckInitramfsComplete().ToString().c_str());
  printf("priority: %s\n",
         ktstr::guestd::RunAboveEveryScheduler().ToString().c_str());
  std::string cmdline = ktstr::ReadFile("/proc/cmdline").value_or("");
  ktstr::guestd::DaemonOptions options;
  options.session.init_started = started;
  options.session.is_init = true;
  ktstr::UniqueFd host_end;
  ktstr::guestd::Daemon daemon(options, MakeChannel(host_end));
  ktstr::Thread host("host", [&] {
    ktstr::guestd::PlayHost(ktstr::guestd::ConnectUnix(kSocketPath),
                            MakeRequest(cmdline));
  });
  printf("end: %s\n",
         std::string(ktstr::guestd::DaemonEndName(daemon.Run())).c_str());
  host.Join();
  fflush(stdout);
  reboot(RB_POWER_OFF);
}
