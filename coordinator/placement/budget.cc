// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/placement/budget.h"

#include <algorithm>

namespace ktstr::coordinator {
namespace {

// On a direct host that is not overcommitted.
constexpr absl::Duration kBoot = absl::Seconds(20);
constexpr absl::Duration kBootPerCpu = absl::Milliseconds(100);
constexpr absl::Duration kAttach = absl::Seconds(10);
constexpr absl::Duration kTestOverhead = absl::Seconds(8);
constexpr absl::Duration kShutdown = absl::Seconds(10);
constexpr absl::Duration kMargin = absl::Seconds(10);

constexpr double kEmulatedSlowness = 6;
// A host that executes fewer million instructions a second is slow.
constexpr double kOrdinaryMips = 200;
constexpr double kMostSlowness = 20;
// A guest of many vCPUs on few CPUs is idle most of the time.
constexpr double kMostOvercommit = 16;

}  // namespace

double Slowness(bool is_emulated, double guest_mips) {
  double factor = is_emulated ? kEmulatedSlowness : 1;
  if (guest_mips > 0) factor = std::max(factor, kOrdinaryMips / guest_mips);
  return std::clamp(factor, 1.0, kMostSlowness);
}

Budget BudgetFor(const BudgetInputs& inputs) {
  const int vcpus = std::max(inputs.vcpus, 1);
  const double overcommit =
      std::clamp(static_cast<double>(vcpus) / std::max(inputs.host_cpus, 1),
                 1.0, kMostOvercommit);
  const double slowness = Slowness(inputs.is_emulated, inputs.guest_mips);
  Budget budget;
  // Booting is mostly one CPU's work; bringing the others up is not.
  budget.boot = (kBoot + kBootPerCpu * vcpus * overcommit) * slowness;
  budget.attach = kAttach * slowness * overcommit;
  // The scenario holds for wall time, so its duration stretches only by what
  // surrounds it; its set-up and collection stretch fully.
  budget.test = inputs.duration * std::max(2.0, slowness / 2) +
                kTestOverhead * slowness * overcommit;
  budget.shutdown = kShutdown * slowness;
  budget.total = budget.boot + budget.attach + budget.test + budget.shutdown +
                 kMargin * slowness;
  return budget;
}

}  // namespace ktstr::coordinator
