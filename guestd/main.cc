// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "guestd/channel.h"
#include "guestd/cmdline.h"
#include "guestd/cpus.h"
#include "guestd/daemon.h"
#include "guestd/kernel_log.h"
#include "guestd/modules.h"
#include "guestd/mounts.h"
#include "guestd/priority.h"
#include "model/guest_layout.h"

namespace ktstr::guestd {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(30);
constexpr char kCpuDir[] = "/sys/devices/system/cpu";

// One line on the console, for whoever reads it when nothing else got out.
void Say(const std::string& line) {
  std::string text = "guestd: " + line + "\n";
  ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
  (void)ignored;
}

// The kernel panics when init ends; this is the line before.
void OnCrash(int signal) {
  char line[] = "guestd: crashed, signal 00\n";
  line[sizeof(line) - 4] = static_cast<char>('0' + signal / 10 % 10);
  line[sizeof(line) - 3] = static_cast<char>('0' + signal % 10);
  ssize_t ignored = write(STDERR_FILENO, line, sizeof(line) - 1);
  (void)ignored;
  _exit(128 + signal);
}

void PrepareSignals() {
  signal(SIGPIPE, SIG_IGN);
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
    signal(number, OnCrash);
  }
}

[[noreturn]] void PowerOff() {
  sync();
  reboot(RB_POWER_OFF);
  // A kernel without ACPI power-off comes back; a reset ends the machine too.
  reboot(RB_AUTOBOOT);
  Say("neither power-off nor reboot ended the machine");
  _exit(1);
}

std::string PrepareGuest(const std::string& cmdline) {
  for (const absl::Status& status :
       {CheckInitramfsComplete(), LoadModules(kGuestModuleOrderPath, cmdline),
        BringUpCpus(kCpuDir), RunAboveEveryScheduler()}) {
    if (!status.ok()) return std::string(status.message());
  }
  return "";
}

v1::Hello MakeHello(const std::string& cmdline_text,
                    const std::string& init_error,
                    absl::Duration init_started) {
  Cmdline cmdline = ParseCmdline(cmdline_text);
  utsname names = {};
  uname(&names);
  v1::Hello hello;
  hello.set_protocol(1);
  hello.set_epoch(cmdline.epoch);
  hello.set_nonce(cmdline.nonce);
  hello.set_kernel_release(names.release);
  hello.set_init_error(init_error);
  *hello.mutable_init_started() = ToProtoDuration(init_started);
  MarkKernelLog();
  *hello.mutable_hello_sent() = ToProtoDuration(RealClock().Monotonic());
  return hello;
}

// One sentence why the guest ends.
std::string Serve(absl::Duration init_started) {
  std::string init_error;
  if (absl::Status status = PrepareFilesystems(); !status.ok()) {
    init_error = std::string(status.message());
  }
  std::string cmdline = ReadFile("/proc/cmdline", 1 << 20).value_or("");
  if (init_error.empty()) init_error = PrepareGuest(cmdline);
  if (!init_error.empty()) Say(init_error);

  absl::StatusOr<Channel> channel = OpenVsockChannel(kConnectTimeout);
  if (!channel.ok()) {
    return "no way to the host: " + std::string(channel.status().message());
  }
  absl::Status sent = WriteHello(channel->host.get(),
                                 MakeHello(cmdline, init_error, init_started));
  if (!sent.ok()) return std::string(sent.message());

  DaemonOptions options;
  options.session.init_started = init_started;
  options.session.is_init = true;
  options.shell.is_init = true;
  options.init_error = init_error;
  // Never destroyed: the machine ends first, and gRPC's tear-down may wait 10 s
  // for the poller of a blocked write.
  auto* daemon = new Daemon(std::move(options), *std::move(channel));
  return std::string(DaemonEndName(daemon->Run()));
}

}  // namespace
}  // namespace ktstr::guestd

int main() {
  absl::Duration init_started = ktstr::RealClock().Monotonic();
  if (getpid() != 1) {
    fprintf(stderr,
            "guestd is the init of a test guest; hostd packs and starts it\n");
    return 2;
  }
  ktstr::guestd::PrepareSignals();
  ktstr::guestd::Say("powering off: " + ktstr::guestd::Serve(init_started));
  ktstr::guestd::PowerOff();
}
