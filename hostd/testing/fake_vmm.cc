// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Stands where `vmm` stands and plays a machine with guestd in it: takes the
// machine description, prints a console, writes report lines, listens with the
// CONNECT convention, says hello and serves ktstr.v1.Guest. What goes wrong is
// chosen by "fake=SCENARIO" in the kernel command line; see kScenarios.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/server_posix.h"
#include "model/guest_layout.h"
#include "model/machine_spec.h"
#include "proto/guest.grpc.pb.h"

namespace ktstr::hostd {
namespace {

using ktstr::v1::GuestEvent;

const std::set<std::string> kScenarios = {
    "pass",   // verdict passed, power-off
    "fail",   // verdict failed with one finding
    "skip",   // verdict skipped
    "crash",  // the test binary ends by SIGSEGV without a verdict
    "scheduler-died",
    "setup-failed",  // a sysctl that the kernel does not have
    "panic-reset",   // panic text during the workload, then reset
    "panic-stuck",   // panic text during the workload, then nothing
    "no-init",       // panic text about a missing init
    "mute",          // no console, no hello, never ends
    "hang",          // hello, workload starts, then silence
    "killed",        // SIGKILL to itself after hello
    "exit-3",        // exit code 3 and words on stderr, no end line
    "internal-error", "wrong-nonce", "stale-epoch",
    "garbage-hello",  "init-error",  "endless-console",
    "endless-log",   // the guest's log never ends
    "no-power-off",  // verdict passed, then never ends
    "big-message",   // an event above every limit
    "hang-up",       // guestd closes its connections in mid-test
};

struct Machine {
  MachineSpec spec;
  std::string scenario;
  std::string nonce;
  int64_t epoch = 0;
};

absl::Duration Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

void Report(const Machine& machine, MachineEvent event) {
  event.at = Now();
  WriteAll(machine.spec.report_fd, FormatMachineEvent(event) + "\n")
      .IgnoreError();
}

void Print(const Machine& machine, absl::string_view text) {
  WriteAll(machine.spec.console_fd, text).IgnoreError();
}

[[noreturn]] void End(const Machine& machine, MachineEnd end,
                      std::string detail = "") {
  unlink(machine.spec.vsock_path.c_str());
  Report(machine, {.name = "end", .end = end, .detail = std::move(detail)});
  _exit(end == MachineEnd::kPowerOff || end == MachineEnd::kReset ? 0 : 1);
}

// Until the owner is gone or says stop.
[[noreturn]] void WaitForStop(const Machine& machine) {
  char byte;
  while (read(machine.spec.control_fd, &byte, 1) < 0 && errno == EINTR) {
  }
  End(machine, MachineEnd::kStopped);
}

[[noreturn]] void Panic(const Machine& machine) {
  Print(machine,
        "[    1.500000] Kernel panic - not syncing: Fatal exception\n"
        "[    1.500001] CPU: 0 PID: 1 Comm: init Not tainted\n");
  if (machine.scenario == "panic-stuck") WaitForStop(machine);
  End(machine, MachineEnd::kReset);
}

class FakeGuest : public ktstr::v1::Guest::Service {
 public:
  explicit FakeGuest(const Machine* machine) : machine_(*machine) {}

  grpc::Status RunTest(grpc::ServerContext* context,
                       const ktstr::v1::RunTestRequest* request,
                       grpc::ServerWriter<GuestEvent>* writer) override {
    const std::string& scenario = machine_.scenario;
    if (scenario == "setup-failed") return FailSetup(*request, writer);
    if (!request->scheduler_path().empty()) {
      Send(writer, ktstr::v1::SCHEDULER_ATTACHED);
    }
    Send(writer, ktstr::v1::WORKLOAD_STARTED);
    if (absl::StartsWith(scenario, "panic")) Panic(machine_);
    if (scenario == "hang-up") LoseGuestd();
    if (scenario == "hang") {
      AwaitCancel(context);
      return grpc::Status::CANCELLED;
    }
    GuestEvent event;
    if (scenario == "big-message") {
      event.set_test_log(std::string(8 << 20, 'x'));
      writer->Write(event);
    }
    if (scenario == "endless-log") {
      event.set_test_log(std::string(60000, 'x'));
      while (writer->Write(event)) {
      }
      return grpc::Status::OK;
    }
    event.set_test_log("hello from the test\n");
    writer->Write(event);
    SendOutcome(writer);
    Send(writer, ktstr::v1::WORKLOAD_ENDED);
    if (!request->scheduler_path().empty()) {
      auto* report = event.mutable_scheduler();
      report->set_attached_ops(request->scheduler_name());
      report->set_died(scenario == "scheduler-died");
      report->set_exit_code(scenario == "scheduler-died" ? 1 : 0);
      report->mutable_exit()->set_kind(ktstr::v1::EXIT_UNREGISTERED_BY_USER);
      writer->Write(event);
      Send(writer, ktstr::v1::DETACHED);
    }
    event.set_kernel_log("[    0.000000] Linux version 6.12.0-fake\n");
    writer->Write(event);
    event.set_finished(true);
    writer->Write(event);
    return grpc::Status::OK;
  }

  // Repeats what it is told; "exit\n" ends it with code 5.
  grpc::Status Shell(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<ktstr::v1::ShellOutput, ktstr::v1::ShellInput>*
          stream) override {
    ktstr::v1::ShellInput input;
    if (!stream->Read(&input) || !input.has_start()) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no start");
    }
    ktstr::v1::ShellOutput output;
    output.set_started(true);
    stream->Write(output);
    output.set_out("shell of " + input.start().topology() + "\n");
    stream->Write(output);
    if (absl::StartsWith(machine_.scenario, "panic")) Panic(machine_);
    if (machine_.scenario == "hang-up") LoseGuestd();
    while (machine_.scenario == "endless-log") {
      output.set_out(std::string(60000, 'x'));
      if (!stream->Write(output)) return grpc::Status::OK;
    }
    while (stream->Read(&input)) {
      output.set_out(input.data());
      if (input.data() == "exit\n") {
        output.mutable_end()->set_kind(ktstr::v1::ShellEnd::EXITED);
        output.mutable_end()->set_exit_code(5);
      }
      stream->Write(output);
    }
    return grpc::Status::OK;
  }

  grpc::Status PowerOff(grpc::ServerContext*, const ktstr::v1::PowerOffRequest*,
                        ktstr::v1::PowerOffResponse*) override {
    if (machine_.scenario == "no-power-off") return grpc::Status::OK;
    Print(machine_, "[    2.000000] reboot: Power down\n");
    End(machine_, MachineEnd::kPowerOff);
  }

  void set_hello_fd(int fd) { hello_fd_ = fd; }

 private:
  static grpc::Status FailSetup(const ktstr::v1::RunTestRequest& request,
                                grpc::ServerWriter<GuestEvent>* writer) {
    GuestEvent event;
    event.mutable_failure()->set_kind(ktstr::v1::SETUP_FAILED);
    std::string why = "no sysctl kernel.no_such_thing";
    for (const ktstr::v1::BpfMapWrite& write : request.bpf_map_writes()) {
      absl::StrAppend(&why, ", no map ", write.map_suffix(), " for ",
                      write.value(), " at ", write.offset());
    }
    event.mutable_failure()->set_message(why);
    writer->Write(event);
    event.set_finished(true);
    writer->Write(event);
    return grpc::Status::OK;
  }

  static void Send(grpc::ServerWriter<GuestEvent>* writer,
                   ktstr::v1::Phase phase) {
    GuestEvent event;
    event.set_phase(phase);
    writer->Write(event);
  }

  void SendOutcome(grpc::ServerWriter<GuestEvent>* writer) {
    const std::string& scenario = machine_.scenario;
    GuestEvent event;
    auto* exit = event.mutable_test_exit();
    if (scenario == "crash") exit->set_exit_signal(SIGSEGV);
    writer->Write(event);
    if (scenario == "crash") return;
    auto* verdict = event.mutable_verdict();
    verdict->set_passed(scenario != "fail");
    if (scenario == "fail") {
      auto* finding = verdict->add_findings();
      finding->set_kind(ktstr::v1::STARVED);
      finding->set_message("worker 3 ran 0 of 100 iterations");
    }
    if (scenario == "skip") {
      verdict->set_skipped(true);
      verdict->set_skip_reason("needs two LLCs");
    }
    writer->Write(event);
  }

  // What a dying guestd looks like from outside.
  void LoseGuestd() {
    shutdown(hello_fd_, SHUT_RDWR);
    close(hello_fd_);
    WaitForStop(machine_);
  }

  static void AwaitCancel(grpc::ServerContext* context) {
    // The server has no event for this; a test program may look often.
    while (!context->IsCancelled()) poll(nullptr, 0, 10);
  }

  const Machine& machine_;
  std::atomic<int> hello_fd_ = -1;
};

sockaddr_un Address(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(),
         std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

// The host's hello socket, or nothing.
UniqueFd DialHello(const Machine& machine) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address =
      Address(absl::StrCat(machine.spec.vsock_path, "_", kHostHelloPort));
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) != 0) {
    return UniqueFd();
  }
  return fd;
}

void SayHello(const Machine& machine, int fd) {
  ktstr::v1::Hello hello;
  hello.set_protocol(1);
  hello.set_epoch(machine.epoch + (machine.scenario == "stale-epoch" ? -1 : 0));
  hello.set_nonce(machine.scenario == "wrong-nonce" ? "00" : machine.nonce);
  hello.set_kernel_release("6.12.0-fake");
  hello.mutable_init_started()->set_nanos(100000000);
  hello.mutable_hello_sent()->set_nanos(101000000);
  if (machine.scenario == "init-error") {
    hello.set_init_error("initramfs cut off");
  }
  std::string body = hello.SerializeAsString();
  if (machine.scenario == "garbage-hello") body.assign(200, '\xff');
  uint32_t size = static_cast<uint32_t>(body.size());
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
  WriteAll(fd, bytes + body).IgnoreError();
}

UniqueFd Listen(const Machine& machine) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = Address(machine.spec.vsock_path);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
          0 ||
      listen(fd.get(), 4) != 0) {
    End(machine, MachineEnd::kSetupFailure, "cannot listen on vsock_path");
  }
  return fd;
}

// Serves whoever says CONNECT until the owner is gone.
[[noreturn]] void Serve(const Machine& machine, int listener,
                        grpc::Server* server) {
  while (true) {
    pollfd polled[2] = {
        {.fd = listener, .events = POLLIN, .revents = 0},
        {.fd = machine.spec.control_fd, .events = POLLIN, .revents = 0}};
    if (poll(polled, 2, -1) < 0) continue;
    if (polled[1].revents != 0) WaitForStop(machine);
    UniqueFd client(
        accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) continue;
    std::string line;
    char byte;
    while (line.size() < 64 && (line.empty() || line.back() != '\n')) {
      pollfd wait = {.fd = client.get(), .events = POLLIN, .revents = 0};
      poll(&wait, 1, 1000);
      if (read(client.get(), &byte, 1) != 1) break;
      line.push_back(byte);
    }
    if (line != absl::StrCat("CONNECT ", kGuestServicePort, "\n")) continue;
    WriteAll(client.get(), "OK 40000\n").IgnoreError();
    grpc::AddInsecureChannelFromFd(server, client.Release());
  }
}

void Boot(const Machine& machine) {
  Report(machine, {.name = "start"});
  Report(machine, {.name = "vcpus"});
  if (machine.scenario == "mute") WaitForStop(machine);
  if (machine.scenario == "exit-3") {
    fprintf(stderr, "fake_vmm: something odd happened\n");
    _exit(3);
  }
  Report(machine, {.name = "first-io"});
  Print(machine, "[    0.000000] Linux version 6.12.0-fake\n");
  Print(machine, absl::StrCat("[    0.000000] Command line: ",
                              machine.spec.cmdline, "\n"));
  if (machine.scenario == "internal-error") {
    End(machine, MachineEnd::kInternalError, "suberror 1 rip=0x1000");
  }
  if (machine.scenario == "no-init") {
    Print(
        machine,
        "[    0.300000] Kernel panic - not syncing: No working init found.\n");
    End(machine, MachineEnd::kReset);
  }
  while (machine.scenario == "endless-console") {
    Print(machine, std::string(4000, 'y') + "\n");
    pollfd owner = {
        .fd = machine.spec.control_fd, .events = POLLIN, .revents = 0};
    if (poll(&owner, 1, 0) > 0) WaitForStop(machine);
  }
}

[[noreturn]] void RunMachine(const Machine& machine) {
  Boot(machine);
  UniqueFd listener = Listen(machine);
  FakeGuest guest(&machine);
  grpc::ServerBuilder builder;
  builder.RegisterService(&guest);
  builder.SetMaxSendMessageSize(-1);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  UniqueFd hello = DialHello(machine);
  // Known before the host can ask for anything.
  guest.set_hello_fd(hello.get());
  SayHello(machine, hello.get());
  if (machine.scenario == "killed") {
    // A byte comes back only after the host has read the hello: none does, so
    // the end of the host's patience is not needed; the hello is in its queue.
    kill(getpid(), SIGKILL);
  }
  Serve(machine, listener.get(), server.get());
}

std::string CmdlineValue(const MachineSpec& spec, absl::string_view key) {
  for (absl::string_view word : absl::StrSplit(spec.cmdline, ' ')) {
    if (absl::ConsumePrefix(&word, absl::StrCat(key, "="))) {
      return std::string(word);
    }
  }
  return "";
}

int Main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 2 && absl::string_view(argv[1]) == "--probe") {
    printf(
        "{\"usable\": true, \"api\": 12, \"kernel_mode_mips\": 900.0, "
        "\"syscall_cpl\": 0, \"reason\": \"\", \"advice\": \"\"}\n");
    return 0;
  }
  if (argc != 5 || absl::string_view(argv[1]) != "--machine-fd" ||
      absl::string_view(argv[3]) != "--attempt-epoch") {
    fprintf(stderr, "fake_vmm: bad arguments\n");
    return 2;
  }
  auto json = ReadAll(atoi(argv[2]));
  if (!json.ok()) return 2;
  auto spec = ParseMachineSpec(*json);
  if (!spec.ok()) {
    fprintf(stderr, "fake_vmm: %s\n", spec.status().ToString().c_str());
    return 2;
  }
  Machine machine = {.spec = *spec,
                     .scenario = CmdlineValue(*spec, "fake"),
                     .nonce = CmdlineValue(*spec, kCmdlineNonce)};
  if (kScenarios.count(machine.scenario) == 0 ||
      !absl::SimpleAtoi(CmdlineValue(*spec, kCmdlineEpoch), &machine.epoch) ||
      absl::StrCat(machine.epoch) != argv[4]) {
    fprintf(stderr, "fake_vmm: bad command line %s\n", spec->cmdline.c_str());
    return 2;
  }
  RunMachine(machine);
}

}  // namespace
}  // namespace ktstr::hostd

int main(int argc, char** argv) { return ktstr::hostd::Main(argc, argv); }
