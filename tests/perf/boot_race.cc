// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// From the start of a VMM to the first word of a Linux guest's init: ours
// against QEMU's two machines, with the same kernel, archive, CPUs and memory,
// taking turns. QEMU is given every switch that makes it faster.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "hostd/initramfs.h"
#include "model/machine_spec.h"
#include "tests/perf/bootstrap.h"

namespace ktstr::perf {
namespace {

constexpr int kCpus = 4;
constexpr int kMemoryMib = 512;
constexpr absl::Duration kPatience = absl::Seconds(120);
// All machines: only init is heard.
constexpr char kCmdline[] = "loglevel=1 rdinit=/init";
constexpr char kQemuCmdline[] =
    "console=ttyS0 reboot=t panic=-1 nokaslr no_timer_check i8042.noaux "
    "i8042.nokbd tsc=reliable ";

struct Options {
  std::string bin = "out";
  std::string kernel;
  std::string qemu = "qemu-system-x86_64";
  int n = 20;
};

struct Racer {
  std::string name;
  std::function<absl::StatusOr<double>()> run;
};

// Milliseconds until the command's descriptor 1 says "!".
absl::StatusOr<double> Race(CommandSpec command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd console(ends[0]), console_end(ends[1]);
  command.inherited_fds.push_back({console_end.get(), 1});
  const absl::Duration start = RealClock().Monotonic();
  ABSL_ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start(command));
  console_end.Reset();
  std::string heard;
  while (true) {
    const absl::Duration left = start + kPatience - RealClock().Monotonic();
    pollfd waited = {.fd = console.get(), .events = POLLIN, .revents = 0};
    poll(&waited, 1, int(absl::ToInt64Milliseconds(left)));
    char byte = 0;
    if (left <= absl::ZeroDuration() || read(console.get(), &byte, 1) != 1) {
      return absl::DeadlineExceededError(absl::StrCat(
          command.argv[0], ": init said nothing; console: ", heard));
    }
    if (byte == '!') {
      return absl::ToDoubleMilliseconds(RealClock().Monotonic() - start);
    }
    heard.push_back(byte);
  }
}

absl::StatusOr<double> RaceVmm(const Options& options,
                               const std::string& archive) {
  constexpr int kMachineFd = 3, kKernelFd = 4, kInitrdFd = 5;
  MachineSpec spec;
  ABSL_ASSIGN_OR_RETURN(spec.topology, Topology::Create(1, 1, kCpus, 1));
  spec.memory_mib = kMemoryMib;
  spec.kernel_fd = kKernelFd;
  spec.initrd_fds = {kInitrdFd};
  spec.console_fd = 1;
  spec.cmdline = kCmdline;
  ABSL_ASSIGN_OR_RETURN(UniqueFd machine,
                        MemoryFile("machine", FormatMachineSpec(spec)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel, OpenFile(options.kernel, O_RDONLY));
  ABSL_ASSIGN_OR_RETURN(UniqueFd initrd, OpenFile(archive, O_RDONLY));
  return Race({.argv = {JoinPath(options.bin, "vmm"), "--machine-fd",
                        absl::StrCat(kMachineFd)},
               .inherited_fds = {{machine.get(), kMachineFd},
                                 {kernel.get(), kKernelFd},
                                 {initrd.get(), kInitrdFd}}});
}

absl::StatusOr<double> RaceQemu(const Options& options,
                                const std::string& archive,
                                const std::string& machine) {
  return Race({.argv = {options.qemu,
                        "-M",
                        machine,
                        "-accel",
                        "kvm",
                        "-cpu",
                        "host",
                        "-smp",
                        absl::StrCat(kCpus),
                        "-m",
                        absl::StrCat(kMemoryMib),
                        "-nodefaults",
                        "-no-user-config",
                        "-display",
                        "none",
                        "-no-reboot",
                        "-kernel",
                        options.kernel,
                        "-initrd",
                        archive,
                        "-append",
                        absl::StrCat(kQemuCmdline, kCmdline),
                        "-chardev",
                        "stdio,id=c,signal=off",
                        "-serial",
                        "chardev:c"}});
}

absl::Status WriteArchive(const std::string& path, const std::string& init) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd,
                        OpenFile(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  hostd::CpioWriter writer(fd.get());
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/console", 5, 1));
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/kmsg", 1, 11));
  ABSL_RETURN_IF_ERROR(writer.AddFileFromPath("/init", init, 0755));
  return writer.Finish();
}

void PrintRatio(const std::string& peer, const std::vector<double>& ours,
                const std::vector<double>& theirs) {
  const char* where = getenv("KTSTR_WHERE");
  Figure figure = {.name = absl::StrCat("boot.init_ratio_", peer),
                   .estimate = Bootstrap(ours, theirs, RatioOfMedians),
                   .unit = "ratio",
                   .peer = absl::StrFormat("qemu %s %.0f ms, vmm %.0f ms", peer,
                                           Median(theirs), Median(ours)),
                   .n = ours.size(),
                   .where = where == nullptr ? "direct" : where};
  std::puts(FormatFigure(figure).c_str());
  std::fflush(stdout);
}

absl::Status Main(const Options& options) {
  ABSL_ASSIGN_OR_RETURN(TempDir dir, TempDir::Create("boot-race-"));
  const std::string archive = JoinPath(dir.path(), "archive");
  ABSL_RETURN_IF_ERROR(
      WriteArchive(archive, JoinPath(options.bin, "speaking_init")));
  const std::vector<Racer> racers = {
      {"vmm", [&] { return RaceVmm(options, archive); }},
      {"microvm",
       [&] {
         return RaceQemu(options, archive,
                         "microvm,x-option-roms=off,pit=off,pic=off,rtc=off,"
                         "isa-serial=on,auto-kernel-cmdline=off");
       }},
      {"q35",
       [&] { return RaceQemu(options, archive, "q35,smm=off,vmport=off"); }}};
  std::vector<std::vector<double>> times(racers.size());
  // The first round warms caches and is not counted; the others begin with a
  // different racer each.
  for (int round = -1; round < options.n; ++round) {
    for (size_t i = 0; i < racers.size(); ++i) {
      const size_t who = (size_t(round + 1) + i) % racers.size();
      ABSL_ASSIGN_OR_RETURN(double ms, racers[who].run());
      if (round >= 0) times[who].push_back(ms);
    }
  }
  for (size_t peer = 1; peer < racers.size(); ++peer) {
    PrintRatio(racers[peer].name, times[0], times[peer]);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace ktstr::perf

int main(int argc, char** argv) {
  ktstr::perf::Options options;
  CLI::App app(
      "Races our vmm against QEMU's microvm and q35 from process start to the "
      "first word of a guest's init; prints one JSON line a figure.");
  app.add_option("--bin", options.bin, "directory of vmm and speaking_init")
      ->capture_default_str();
  app.add_option("--kernel", options.kernel, "vmlinux with a PVH entry")
      ->required();
  app.add_option("--qemu", options.qemu, "QEMU for x86-64")
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
