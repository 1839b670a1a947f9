// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the console costs: from the start of vmm to the hello of a Linux guest's
// init, by serial port and by virtio console, quiet as hostd boots at first and
// verbose as it boots again after a failure; the same kernel, archive, CPUs and
// memory, taking turns.
#include <stdlib.h>

#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "tests/lib/linux_guest.h"
#include "tests/perf/bootstrap.h"

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

struct Racer {
  std::string name;
  ConsoleDevice console;
  std::string cmdline;
  std::vector<double> ms;
};

absl::StatusOr<double> Race(const Options& options, const Racer& racer) {
  ABSL_ASSIGN_OR_RETURN(LinuxGuestRun run, Boot({.programs = options.bin,
                                                 .kernel = options.kernel,
                                                 .cmdline = racer.cmdline,
                                                 .console = racer.console}));
  if (!run.hello.has_value()) {
    return absl::DeadlineExceededError(absl::StrCat(
        racer.name, ": no hello; end ", MachineEndName(run.end.end), " ",
        run.end.detail, "; console: ", run.console));
  }
  return absl::ToDoubleMilliseconds(*run.hello);
}

void PrintRatio(const std::string& name, const Racer& ours,
                const Racer& theirs) {
  const char* where = getenv("KTSTR_WHERE");
  Figure figure = {
      .name = name,
      .estimate = Bootstrap(ours.ms, theirs.ms, RatioOfMedians),
      .unit = "ratio",
      .peer = absl::StrFormat("%s %.0f ms, %s %.0f ms", theirs.name,
                              Median(theirs.ms), ours.name, Median(ours.ms)),
      .n = ours.ms.size(),
      .where = where == nullptr ? "direct" : where};
  std::puts(FormatFigure(figure).c_str());
  std::fflush(stdout);
}

absl::Status Main(const Options& options) {
  std::vector<Racer> racers = {
      {"quiet serial", ConsoleDevice::kSerial, kQuiet, {}},
      {"quiet virtio", ConsoleDevice::kVirtio, kQuiet, {}},
      {"verbose serial", ConsoleDevice::kSerial, kVerbose, {}},
      {"verbose virtio", ConsoleDevice::kVirtio, kVerbose, {}},
  };
  // The first round warms caches and is not counted; the others begin with a
  // different racer each.
  for (int round = -1; round < options.n; ++round) {
    for (size_t i = 0; i < racers.size(); ++i) {
      Racer& racer = racers[(size_t(round + 1) + i) % racers.size()];
      ABSL_ASSIGN_OR_RETURN(double ms, Race(options, racer));
      if (round >= 0) racer.ms.push_back(ms);
    }
  }
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
