// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// From the start of a VMM to guestd's hello: ours against QEMU's two machines,
// with the same kernel, archive, CPUs (the host's number) and memory, taking
// turns. QEMU is given every switch that makes it faster: microvm the
// uncompressed kernel by its PVH entry, q35 the bzImage that people boot there;
// both the host kernel's vsock.
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/host_cpus.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "hostd/hello.h"
#include "hostd/initramfs.h"
#include "model/guest_layout.h"
#include "model/machine_spec.h"
#include "tests/perf/race.h"

namespace ktstr::perf {
namespace {

constexpr int kMemoryMib = 512;
constexpr uint32_t kGuestCid = 3;
constexpr size_t kMaxArchiveBytes = 64 << 20;
constexpr absl::Duration kPatience = absl::Seconds(120);
constexpr char kNonce[] = "00112233445566778899aabbccddeeff";
// As hostd's guests are: warnings and worse on the console, the archive on
// ramfs.
constexpr char kGuest[] = "loglevel=5 rootfstype=ramfs rdinit=/init";
constexpr char kQemuCmdline[] =
    "console=ttyS0 reboot=t panic=-1 nokaslr no_timer_check i8042.noaux "
    "i8042.nokbd tsc=reliable noreplace-smp";

struct Options {
  std::string bin = "out";
  std::string kernel;
  std::string bzimage;
  std::string qemu = "qemu-system-x86_64";
  // More CPUs than the host has would measure how they wait for each other.
  int cpus = int(std::clamp<size_t>(AllowedHostCpus().size(), 1, 4));
  int n = 20;
};

std::string GuestCmdline() {
  return absl::StrCat(kGuest, " ", kCmdlineEpoch, "=1 ", kCmdlineNonce, "=",
                      kNonce);
}

absl::StatusOr<UniqueFd> Listen(int family, const sockaddr* address,
                                socklen_t size, const std::string& what) {
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || bind(fd.get(), address, size) != 0 || listen(fd.get(), 8) != 0) {
    return absl::ErrnoToStatus(errno, what);
  }
  return fd;
}

absl::StatusOr<UniqueFd> ListenUnix(const std::string& path) {
  unlink(path.c_str());
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is too long"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return Listen(AF_UNIX, reinterpret_cast<const sockaddr*>(&address),
                sizeof(address), path);
}

absl::StatusOr<UniqueFd> ListenVsock() {
  sockaddr_vm address = {};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = kHostHelloPort;
  return Listen(AF_VSOCK, reinterpret_cast<const sockaddr*>(&address),
                sizeof(address), "listen on vsock");
}

// Waits until `fd` is readable or the VMM has ended or `until` has passed.
absl::Status WaitFor(int fd, const Subprocess& vmm, absl::Duration until) {
  const absl::Duration left = until - RealClock().Monotonic();
  if (left <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("no hello");
  }
  pollfd waited[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                     {.fd = vmm.pidfd(), .events = POLLIN, .revents = 0}};
  poll(waited, 2, int(absl::ToInt64Milliseconds(left)));
  if (waited[0].revents != 0) return absl::OkStatus();
  if (waited[1].revents != 0) return absl::UnavailableError("the VMM ended");
  return absl::DeadlineExceededError("no hello");
}

absl::Status ReceiveHello(int listener, const Subprocess& vmm,
                          absl::Duration until) {
  ABSL_RETURN_IF_ERROR(WaitFor(listener, vmm, until));
  UniqueFd connection(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) return absl::ErrnoToStatus(errno, "accept");
  hostd::HelloParser parser;
  while (true) {
    ABSL_RETURN_IF_ERROR(WaitFor(connection.get(), vmm, until));
    char bytes[4096];
    const ssize_t count = read(connection.get(), bytes, sizeof(bytes));
    if (count <= 0) return absl::UnavailableError("the hello was cut off");
    ABSL_ASSIGN_OR_RETURN(auto hello,
                          parser.Append(absl::string_view(bytes, count)));
    if (!hello) continue;
    ABSL_RETURN_IF_ERROR(hostd::CheckHello(*hello, 1, kNonce));
    return hello->init_error().empty()
               ? absl::OkStatus()
               : absl::InternalError(hello->init_error());
  }
}

// Milliseconds from the start of the command to the hello at `listener`.
absl::StatusOr<double> Race(CommandSpec command, int listener,
                            const std::string& console_path) {
  ABSL_ASSIGN_OR_RETURN(
      UniqueFd console,
      OpenFile(console_path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  command.inherited_fds.push_back({console.get(), 1});
  const absl::Duration start = RealClock().Monotonic();
  ABSL_ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start(command));
  const absl::Status heard = ReceiveHello(listener, child, start + kPatience);
  const absl::Duration took = RealClock().Monotonic() - start;
  child.Kill(SIGKILL).IgnoreError();
  child.Wait().IgnoreError();
  if (!heard.ok()) {
    return absl::UnavailableError(
        absl::StrCat(command.argv[0], ": ", heard.message(),
                     "; console: ", ReadFile(console_path).value_or("")));
  }
  return absl::ToDoubleMilliseconds(took);
}

absl::StatusOr<double> RaceVmm(const Options& options, const std::string& dir) {
  constexpr int kMachineFd = 3, kKernelFd = 4, kInitrdFd = 5;
  const std::string vsock = JoinPath(dir, "v");
  MachineSpec spec;
  ABSL_ASSIGN_OR_RETURN(spec.topology, Topology::Create(1, 1, options.cpus, 1));
  spec.memory_mib = kMemoryMib;
  spec.kernel_fd = kKernelFd;
  spec.initrd_fds = {kInitrdFd};
  spec.console_fd = 1;
  spec.cmdline = GuestCmdline();
  spec.vsock_path = vsock;
  spec.vsock_cid = kGuestCid;
  unlink(vsock.c_str());  // The run before was killed.
  ABSL_ASSIGN_OR_RETURN(UniqueFd listener,
                        ListenUnix(absl::StrCat(vsock, "_", kHostHelloPort)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd machine,
                        MemoryFile("machine", FormatMachineSpec(spec)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel, OpenFile(options.kernel, O_RDONLY));
  ABSL_ASSIGN_OR_RETURN(UniqueFd initrd,
                        OpenFile(JoinPath(dir, "initrd"), O_RDONLY));
  return Race({.argv = {JoinPath(options.bin, "vmm"), "--machine-fd",
                        absl::StrCat(kMachineFd)},
               .inherited_fds = {{machine.get(), kMachineFd},
                                 {kernel.get(), kKernelFd},
                                 {initrd.get(), kInitrdFd}}},
              listener.get(), JoinPath(dir, "console"));
}

struct QemuMachine {
  std::string machine;
  std::string kernel;
  std::string vsock_device;
};

absl::StatusOr<double> RaceQemu(const Options& options, const std::string& dir,
                                const QemuMachine& machine) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd listener, ListenVsock());
  return Race(
      {.argv = {options.qemu,
                "-M",
                machine.machine,
                "-accel",
                "kvm",
                "-cpu",
                "host",
                "-smp",
                absl::StrCat(options.cpus),
                "-m",
                absl::StrCat(kMemoryMib),
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
                "-kernel",
                machine.kernel,
                "-initrd",
                JoinPath(dir, "initrd"),
                "-append",
                absl::StrCat(kQemuCmdline, " ", GuestCmdline()),
                "-chardev",
                "stdio,id=c,signal=off",
                "-serial",
                "chardev:c",
                "-device",
                absl::StrCat(machine.vsock_device, ",guest-cid=", kGuestCid)}},
      listener.get(), JoinPath(dir, "console"));
}

// What a guest of ours boots from, guestd and a suite, in one file.
absl::Status WriteArchive(const Options& options, const std::string& dir) {
  ABSL_ASSIGN_OR_RETURN(
      const std::string base,
      hostd::BaseInitramfs(JoinPath(options.bin, "guestd"), dir));
  ABSL_ASSIGN_OR_RETURN(std::string bytes, ReadFile(base, kMaxArchiveBytes));
  const std::string path = JoinPath(dir, "initrd");
  ABSL_ASSIGN_OR_RETURN(UniqueFd tail,
                        OpenFile(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  ABSL_RETURN_IF_ERROR(hostd::WriteInitramfsTail(
      {.suite = JoinPath(options.bin, "topology")}, tail.get()));
  ABSL_ASSIGN_OR_RETURN(const std::string more,
                        ReadFile(path, kMaxArchiveBytes));
  return WriteFileAtomically(path, bytes + more);
}

absl::Status Main(const Options& options) {
  ABSL_ASSIGN_OR_RETURN(TempDir temp, TempDir::Create("boot-race-"));
  const std::string& dir = temp.path();
  ABSL_RETURN_IF_ERROR(WriteArchive(options, dir));
  const QemuMachine microvm = {
      .machine =
          "microvm,x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=on,"
          "auto-kernel-cmdline=off",
      .kernel = options.kernel,
      .vsock_device = "vhost-vsock-device"};
  const QemuMachine q35 = {.machine = "q35,smm=off,vmport=off",
                           .kernel = options.bzimage,
                           .vsock_device = "vhost-vsock-pci"};
  std::vector<Racer> racers = {
      {"vmm", [&] { return RaceVmm(options, dir); }},
      {"qemu microvm", [&] { return RaceQemu(options, dir, microvm); }},
      {"qemu q35", [&] { return RaceQemu(options, dir, q35); }}};
  ABSL_RETURN_IF_ERROR(TakeTurns(options.n, racers));
  PrintRatio("boot.hello_ratio_microvm", racers[0], racers[1]);
  PrintRatio("boot.hello_ratio_q35", racers[0], racers[2]);
  return absl::OkStatus();
}

}  // namespace
}  // namespace ktstr::perf

int main(int argc, char** argv) {
  ktstr::perf::Options options;
  CLI::App app(
      "Races our vmm against QEMU's microvm and q35 from process start to the "
      "guest's hello; prints one JSON line a figure.");
  app.add_option("--bin", options.bin, "directory of vmm, guestd and topology")
      ->capture_default_str();
  app.add_option("--kernel", options.kernel, "vmlinux with a PVH entry")
      ->required();
  app.add_option("--bzimage", options.bzimage, "the same kernel, packed")
      ->required();
  app.add_option("--qemu", options.qemu, "QEMU for x86-64")
      ->capture_default_str();
  app.add_option("--cpus", options.cpus, "CPUs of each guest")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("-n", options.n, "rounds")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status status = ktstr::perf::Main(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "boot_race: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
