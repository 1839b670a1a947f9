// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the console costs: from the start of vmm to the hello of a Linux guest's
// init, by serial port and by virtio console, quiet as hostd boots at first and
// verbose as it boots again after a failure; the same kernel, archive, CPUs and
// memory, taking turns.
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tests/lib/linux_guest.h"
#include "tests/perf/race.h"

namespace ktstr::perf {
namespace {

// As hostd/lease_runner.cc.
constexpr char kQuiet[] = "loglevel=5";
constexpr char kVerbose[] = "ignore_loglevel";

struct Options {
  std::string bin = "out";
  std::string kernel;
  int n = 20;
};

absl::StatusOr<double> BootOnce(const Options& options, ConsoleDevice console,
                                const std::string& cmdline) {
  ABSL_ASSIGN_OR_RETURN(LinuxGuestRun run, Boot({.programs = options.bin,
                                                 .kernel = options.kernel,
                                                 .cmdline = cmdline,
                                                 .console = console}));
  if (!run.hello.has_value()) {
    return absl::DeadlineExceededError(
        absl::StrCat(cmdline, ": no hello; end ", MachineEndName(run.end.end),
                     " ", run.end.detail, "; console: ", run.console));
  }
  return absl::ToDoubleMilliseconds(*run.hello);
}

absl::Status Main(const Options& options) {
  auto racer = [&options](const std::string& name, ConsoleDevice console,
                          const std::string& cmdline) {
    return Racer{.name = name, .run = [&options, console, cmdline] {
                   return BootOnce(options, console, cmdline);
                 }};
  };
  std::vector<Racer> racers = {
      racer("quiet serial", ConsoleDevice::kSerial, kQuiet),
      racer("quiet virtio", ConsoleDevice::kVirtio, kQuiet),
      racer("verbose serial", ConsoleDevice::kSerial, kVerbose),
      racer("verbose virtio", ConsoleDevice::kVirtio, kVerbose),
  };
  ABSL_RETURN_IF_ERROR(TakeTurns(options.n, racers));
  PrintRatio("boot.virtio_console_ratio", racers[1], racers[0]);
  PrintRatio("boot.virtio_console_verbose_ratio", racers[3], racers[2]);
  return absl::OkStatus();
}

}  // namespace
}  // namespace ktstr::perf

int main(int argc, char** argv) {
  ktstr::perf::Options options;
  CLI::App app(
      "Races the virtio console against the serial port from process start to "
      "the hello of a guest's init; prints one JSON line a figure.");
  app.add_option("--bin", options.bin, "directory of vmm and calling_init")
      ->capture_default_str();
  app.add_option("--kernel", options.kernel, "vmlinux")->required();
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
  std::fprintf(stderr, "console_race: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
