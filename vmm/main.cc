// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <signal.h>
#include <sys/prctl.h>

#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "model/machine_spec.h"
#include "vmm/isolation.h"
#include "vmm/machine.h"
#include "vmm/probe.h"
#include "vmm/report.h"
#include "vmm/sandbox.h"

namespace {

constexpr int kExitSetupFailure = 1;
constexpr int kExitUsage = 2;
constexpr uint64_t kMaxDescriptionBytes = 1 << 20;

struct Flags {
  int machine_fd = -1;
  std::string machine_file;
  int64_t attempt_epoch = -1;
  bool probe = false;
};

absl::StatusOr<ktstr::MachineSpec> ReadDescription(const Flags& flags) {
  std::string text;
  if (flags.machine_fd >= 0) {
    ABSL_ASSIGN_OR_RETURN(
        text, ktstr::ReadAll(flags.machine_fd, kMaxDescriptionBytes));
  } else {
    ABSL_ASSIGN_OR_RETURN(
        text, ktstr::ReadFile(flags.machine_file, kMaxDescriptionBytes));
  }
  return ktstr::ParseMachineSpec(text);
}

int RunMachine(const ktstr::MachineSpec& spec, const std::string& label) {
  ktstr::vmm::Report report(spec.report_fd, &ktstr::RealClock());
  report.EmitStart(label);
  auto refuse = [&](const absl::Status& status) {
    const bool is_unmet =
        spec.performance && absl::IsFailedPrecondition(status);
    report.EmitEnd({.end = is_unmet ? ktstr::MachineEnd::kUnmetPrecondition
                                    : ktstr::MachineEnd::kSetupFailure,
                    .detail = std::string(status.message())});
    spdlog::error("{}", status.ToString());
    return kExitSetupFailure;
  };
  // Real-time scheduling and the host's huge pages are for those who have them.
  if (!ktstr::vmm::EnterNamespaces(spec.performance.has_value())) {
    spdlog::debug("this host gives no namespaces");
  }
  auto sandbox = ktstr::vmm::Sandbox::Create();
  if (!sandbox.ok()) return refuse(sandbox.status());
  auto machine = ktstr::vmm::Machine::Create(spec, &report, &*sandbox);
  if (!machine.ok()) return refuse(machine.status());
  if (auto limited = ktstr::vmm::LimitResources(); !limited.ok()) {
    return refuse(limited);
  }
  ktstr::vmm::MachineOutcome outcome = (*machine)->Run();
  report.EmitEnd(outcome);
  if (spec.report_fd < 0) {
    spdlog::info("{}: {}", std::string(ktstr::MachineEndName(outcome.end)),
                 outcome.detail);
  }
  return 0;
}

int PrintProbe() {
  ktstr::vmm::ProbeResult result = ktstr::vmm::ProbeKvm();
  std::puts(ktstr::vmm::FormatProbeResult(result).c_str());
  return result.is_usable ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "Boots one virtual machine and reports how it ended.\n"
      "Exit code: 0 the guest ran, however it ended (see the report); 1 it "
      "could not be set up; 2 wrong usage.");
  auto* fd = app.add_option("--machine-fd", flags.machine_fd,
                            "descriptor to read the machine description from "
                            "(JSON, see model/machine_spec.h)");
  auto* file =
      app.add_option("--machine", flags.machine_file,
                     "file with the machine description; its descriptors may "
                     "be opened by the shell, for example 3<vmlinux");
  auto* probe = app.add_flag("--probe", flags.probe,
                             "say whether /dev/kvm can run Linux, as one JSON "
                             "object; exit 0 if so, 1 if not");
  app.add_option("--attempt-epoch", flags.attempt_epoch,
                 "label of the attempt, repeated in the report");
  fd->excludes(file, probe);
  file->excludes(probe);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  ktstr::StartLogging("vmm");
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (flags.probe) return PrintProbe();
  if (flags.machine_fd < 0 && flags.machine_file.empty()) {
    spdlog::error("one of --machine-fd, --machine and --probe is needed");
    return kExitUsage;
  }
  absl::StatusOr<ktstr::MachineSpec> spec = ReadDescription(flags);
  if (!spec.ok()) {
    spdlog::error("{}", spec.status().ToString());
    return kExitUsage;
  }
  return RunMachine(*spec,
                    flags.attempt_epoch < 0
                        ? ""
                        : absl::StrCat("attempt epoch ", flags.attempt_epoch));
}
