// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What it costs a Linux guest to start when each of its LLCs is a package of
// its own, instead of one package around all: from the start of vmm to guestd's
// hello, the same machine otherwise, taking turns.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
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

constexpr int kMachineFd = 3, kKernelFd = 4, kBaseFd = 5, kTailFd = 6;
constexpr absl::Duration kPatience = absl::Seconds(120);
constexpr char kNonce[] = "00112233445566778899aabbccddeeff";

struct Options {
  std::string bin = "out";
  std::string kernel;
  int llcs = 8;
  int n = 20;
};

// Returns when the hello has come.
absl::Status AwaitHello(hostd::HelloListener& listener, const Subprocess& vmm,
                        absl::Duration until) {
  while (!listener.hello()) {
    const absl::Duration left = until - RealClock().Monotonic();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError("no hello");
    }
    std::vector<pollfd> waited = {
        {.fd = vmm.pidfd(), .events = POLLIN, .revents = 0}};
    listener.AddPollFds(&waited);
    poll(waited.data(), waited.size(), int(absl::ToInt64Milliseconds(left)));
    if (waited[0].revents != 0) {
      return absl::UnavailableError("vmm ended before the hello");
    }
    listener.HandleEvents();
    if (!listener.refused().empty()) {
      return absl::UnavailableError(listener.refused());
    }
  }
  return absl::OkStatus();
}

// Milliseconds from the start of vmm to the hello.
absl::StatusOr<double> Boot(const Options& options, const std::string& dir,
                            LlcsAre llcs_are) {
  const std::string vsock = JoinPath(dir, "v");
  unlink(vsock.c_str());  // The run before was killed.
  MachineSpec spec;
  ABSL_ASSIGN_OR_RETURN(spec.topology, Topology::Create(1, options.llcs, 1, 1));
  spec.memory_mib = 512;
  spec.details.llcs_are = llcs_are;
  spec.kernel_fd = kKernelFd;
  spec.initrd_fds = {kBaseFd, kTailFd};
  spec.console_fd = 1;
  spec.vsock_path = vsock;
  spec.cmdline = absl::StrCat("loglevel=5 rootfstype=ramfs rdinit=/init ",
                              kCmdlineEpoch, "=1 ", kCmdlineNonce, "=", kNonce);
  ABSL_ASSIGN_OR_RETURN(
      auto listener, hostd::HelloListener::Create(
                         absl::StrCat(vsock, "_", kHostHelloPort), 1, kNonce));
  ABSL_ASSIGN_OR_RETURN(UniqueFd machine,
                        MemoryFile("machine", FormatMachineSpec(spec)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel, OpenFile(options.kernel, O_RDONLY));
  ABSL_ASSIGN_OR_RETURN(
      const std::string base_path,
      hostd::BaseInitramfs(JoinPath(options.bin, "guestd"), dir));
  ABSL_ASSIGN_OR_RETURN(UniqueFd base, OpenFile(base_path, O_RDONLY));
  ABSL_ASSIGN_OR_RETURN(UniqueFd tail,
                        OpenFile(JoinPath(dir, "tail"), O_RDONLY));
  const std::string console_path = JoinPath(dir, "console");
  ABSL_ASSIGN_OR_RETURN(
      UniqueFd console,
      OpenFile(console_path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  const CommandSpec command = {
      .argv = {JoinPath(options.bin, "vmm"), "--machine-fd",
               absl::StrCat(kMachineFd)},
      .inherited_fds = {{console.get(), 1},
                        {machine.get(), kMachineFd},
                        {kernel.get(), kKernelFd},
                        {base.get(), kBaseFd},
                        {tail.get(), kTailFd}}};
  const absl::Duration start = RealClock().Monotonic();
  ABSL_ASSIGN_OR_RETURN(Subprocess vmm, Subprocess::Start(command));
  const absl::Status heard = AwaitHello(listener, vmm, start + kPatience);
  const absl::Duration took = RealClock().Monotonic() - start;
  if (heard.ok()) return absl::ToDoubleMilliseconds(took);
  return absl::UnavailableError(absl::StrCat(
      heard.message(), "; console: ", ReadFile(console_path).value_or("")));
}

// What comes after guestd: a suite that is never run.
absl::Status WriteTail(const Options& options, const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd,
                        OpenFile(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  return hostd::WriteInitramfsTail({.suite = JoinPath(options.bin, "topology")},
                                   fd.get());
}

absl::Status Main(const Options& options) {
  ABSL_ASSIGN_OR_RETURN(TempDir dir, TempDir::Create("packages-ratio-"));
  ABSL_RETURN_IF_ERROR(WriteTail(options, JoinPath(dir.path(), "tail")));
  auto racer = [&](const std::string& name, LlcsAre llcs_are) {
    return Racer{.name = name, .run = [&options, &dir, llcs_are] {
                   return Boot(options, dir.path(), llcs_are);
                 }};
  };
  std::vector<Racer> racers = {
      racer(absl::StrCat(options.llcs, " LLCs as packages"),
            LlcsAre::kPackages),
      racer(absl::StrCat(options.llcs, " LLCs in one package"),
            LlcsAre::kGroups)};
  ABSL_RETURN_IF_ERROR(TakeTurns(options.n, racers));
  PrintRatio("boot.packages_ratio", racers[0], racers[1]);
  return absl::OkStatus();
}

}  // namespace
}  // namespace ktstr::perf

int main(int argc, char** argv) {
  ktstr::perf::Options options;
  CLI::App app(
      "Boots a machine with its LLCs in one package and as packages, from the "
      "start of vmm to guestd's hello; prints one JSON line.");
  app.add_option("--bin", options.bin, "directory of vmm, guestd and topology")
      ->capture_default_str();
  app.add_option("--kernel", options.kernel, "vmlinux")->required();
  app.add_option("--llcs", options.llcs, "LLCs of one CPU each")
      ->capture_default_str()
      ->check(CLI::Range(2, 64));
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
  std::fprintf(stderr, "packages_ratio: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
