// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Time from process start to the first output of a bare-metal guest, and memory
// resident then beyond guest RAM: our vmm against QEMU's microvm, interleaved,
// with the same guest file on the same /dev/kvm. Both are watched from outside:
// the clock stops when the guest's byte arrives on a pipe.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "model/machine_spec.h"
#include "tests/perf/bootstrap.h"
#include "vmm/testing/guest_program.h"

namespace ktstr::perf {
namespace {

constexpr int kGuestMib = 64;
constexpr absl::Duration kPatience = absl::Seconds(20);

struct Options {
  std::string vmm = "vmm";
  std::string qemu = "qemu-system-x86_64";
  int n = 30;
};

// One start of one program.
struct Sample {
  double first_io_ms = 0;
  // Anonymous and file pages; guest RAM is shared memory in both programs.
  double rss_kib = 0;
};

absl::StatusOr<double> ResidentKib(pid_t pid) {
  ABSL_ASSIGN_OR_RETURN(std::string status,
                        ReadFile(absl::StrCat("/proc/", pid, "/status")));
  double total = 0;
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    if (!absl::StartsWith(line, "RssAnon:") &&
        !absl::StartsWith(line, "RssFile:")) {
      continue;
    }
    std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    double kib = 0;
    if (words.size() > 1 && absl::SimpleAtod(words[1], &kib)) total += kib;
  }
  return total;
}

// Starts the command with the guest's output on its descriptor 1 and waits for
// the first byte.
absl::StatusOr<Sample> Measure(CommandSpec command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  command.inherited_fds.push_back({write_end.get(), 1});
  absl::Duration start = RealClock().Monotonic();
  ABSL_ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start(command));
  write_end.Reset();
  pollfd wait = {.fd = read_end.get(), .events = POLLIN, .revents = 0};
  poll(&wait, 1, int(absl::ToInt64Milliseconds(kPatience)));
  absl::Duration took = RealClock().Monotonic() - start;
  char byte = 0;
  if (!(wait.revents & POLLIN) || read(read_end.get(), &byte, 1) != 1) {
    return absl::DeadlineExceededError(
        absl::StrCat(command.argv[0], ": no output of the guest"));
  }
  Sample sample = {.first_io_ms = absl::ToDoubleMilliseconds(took)};
  ABSL_ASSIGN_OR_RETURN(sample.rss_kib, ResidentKib(child.pid()));
  return sample;
}

absl::StatusOr<Sample> MeasureVmm(const Options& options,
                                  const std::string& guest, int cpus) {
  constexpr int kMachineFd = 3, kKernelFd = 4;
  MachineSpec spec;
  ABSL_ASSIGN_OR_RETURN(spec.topology, Topology::Create(1, 1, cpus, 1));
  spec.memory_mib = kGuestMib;
  spec.kernel_fd = kKernelFd;
  spec.console_fd = 1;
  ABSL_ASSIGN_OR_RETURN(UniqueFd machine,
                        MemoryFile("machine", FormatMachineSpec(spec)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel, OpenFile(guest, O_RDONLY));
  return Measure({.argv = {options.vmm, "--machine-fd", "3"},
                  .inherited_fds = {{machine.get(), kMachineFd},
                                    {kernel.get(), kKernelFd}}});
}

// As lean as QEMU 7.2 gets without a build of its own.
absl::StatusOr<Sample> MeasureQemu(const Options& options,
                                   const std::string& guest) {
  return Measure(
      {.argv = {options.qemu,
                "-M",
                "microvm,memory-backend=ram,x-option-roms=off,pit=off,pic=off,"
                "rtc=off,auto-kernel-cmdline=off",
                "-accel",
                "kvm",
                "-cpu",
                "qemu64,pni=off",
                "-m",
                absl::StrCat(kGuestMib),
                "-object",
                absl::StrCat("memory-backend-memfd,id=ram,share=on,size=",
                             kGuestMib, "M"),
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
                "-kernel",
                guest,
                "-chardev",
                "file,id=out,path=/dev/fd/1",
                "-serial",
                "chardev:out"}});
}

// What two programs did, pair by pair.
struct Pairs {
  std::vector<double> ours_ms, theirs_ms, ours_kib, theirs_kib;
};

template <typename Ours, typename Theirs>
absl::StatusOr<Pairs> Interleave(int n, Ours ours, Theirs theirs) {
  Pairs pairs;
  // The first pair warms caches and is not counted.
  for (int i = -1; i < n; ++i) {
    absl::StatusOr<Sample> a, b;
    if (i % 2 == 0) {
      a = ours();
      b = theirs();
    } else {
      b = theirs();
      a = ours();
    }
    ABSL_RETURN_IF_ERROR(a.status());
    ABSL_RETURN_IF_ERROR(b.status());
    if (i < 0) continue;
    pairs.ours_ms.push_back(a->first_io_ms);
    pairs.theirs_ms.push_back(b->first_io_ms);
    pairs.ours_kib.push_back(a->rss_kib);
    pairs.theirs_kib.push_back(b->rss_kib);
  }
  return pairs;
}

std::string Where() {
  std::string cpus = ReadFile("/proc/cpuinfo").value_or("");
  std::string model = "unknown CPU";
  for (absl::string_view line : absl::StrSplit(cpus, '\n')) {
    if (!absl::StartsWith(line, "model name")) continue;
    std::vector<std::string> parts = absl::StrSplit(line, ": ");
    model = parts.back();
  }
  return absl::StrCat("direct /dev/kvm, ", sysconf(_SC_NPROCESSORS_ONLN),
                      " CPUs, ", model);
}

void Print(const Figure& figure) {
  std::puts(FormatFigure(figure).c_str());
  std::fflush(stdout);
}

absl::Status CompareWithQemu(const Options& options, const std::string& guest) {
  ABSL_ASSIGN_OR_RETURN(
      Pairs pairs, Interleave(
                       options.n, [&] { return MeasureVmm(options, guest, 1); },
                       [&] { return MeasureQemu(options, guest); }));
  const size_t n = pairs.ours_ms.size();
  Print(
      {.name = "vmm.first_io_ratio",
       .estimate = Bootstrap(pairs.ours_ms, pairs.theirs_ms, RatioOfMedians),
       .unit = "ratio",
       .peer = absl::StrFormat("qemu microvm %.1f ms, vmm %.1f ms",
                               Median(pairs.theirs_ms), Median(pairs.ours_ms)),
       .n = n,
       .where = Where()});
  Print(
      {.name = "vmm.rss_ratio",
       .estimate = Bootstrap(pairs.ours_kib, pairs.theirs_kib, RatioOfMedians),
       .unit = "ratio",
       .peer =
           absl::StrFormat("qemu microvm %.0f KiB, vmm %.0f KiB",
                           Median(pairs.theirs_kib), Median(pairs.ours_kib)),
       .n = n,
       .where = Where()});
  return absl::OkStatus();
}

absl::Status CompareWithFewCpus(const Options& options,
                                const std::string& guest) {
  constexpr int kMany = 252, kFew = 4;
  ABSL_ASSIGN_OR_RETURN(
      Pairs pairs,
      Interleave(
          options.n, [&] { return MeasureVmm(options, guest, kMany); },
          [&] { return MeasureVmm(options, guest, kFew); }));
  Print(
      {.name = "vmm.vcpu252_extra_ms",
       .estimate = Bootstrap(pairs.ours_ms, pairs.theirs_ms,
                             [](const auto& many, const auto& few) {
                               return Median(many) - Median(few);
                             }),
       .unit = "ms",
       .peer = absl::StrFormat("vmm, 4 vCPUs %.1f ms", Median(pairs.theirs_ms)),
       .n = pairs.ours_ms.size(),
       .where = Where()});
  return absl::OkStatus();
}

absl::Status Main(const Options& options) {
  ABSL_ASSIGN_OR_RETURN(TempDir dir, TempDir::Create("vmm-first-io-"));
  const std::string guest = JoinPath(dir.path(), "guest");
  // The line end makes a console hand over what it has.
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(
      guest,
      vmm::GuestProgram().Print("\n").Halt().BuildElf(/*has_pvh_entry=*/true)));
  ABSL_RETURN_IF_ERROR(CompareWithQemu(options, guest));
  return CompareWithFewCpus(options, guest);
}

}  // namespace
}  // namespace ktstr::perf

int main(int argc, char** argv) {
  ktstr::perf::Options options;
  CLI::App app(
      "Measures process start to first guest I/O of our vmm and of QEMU's "
      "microvm; prints one JSON line a figure.");
  app.add_option("--vmm", options.vmm, "our vmm")->capture_default_str();
  app.add_option("--qemu", options.qemu, "QEMU for x86-64")
      ->capture_default_str();
  app.add_option("-n", options.n, "pairs of runs")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  absl::Status status = ktstr::perf::Main(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "vmm_first_io: %s\n", status.ToString().c_str());
  return 1;
}
