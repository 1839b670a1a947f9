// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_PLACEMENT_BUDGET_H_
#define KTSTR_COORDINATOR_PLACEMENT_BUDGET_H_

#include "absl/time/time.h"

namespace ktstr::coordinator {

// What an attempt's deadlines depend on.
struct BudgetInputs {
  absl::Duration duration;  // of the scenario, in guest time
  int vcpus = 1;
  int host_cpus = 1;
  // Machine in the machine: everything is several times slower.
  bool is_emulated = false;
  // Measured kernel-mode speed; zero when not measured.
  double guest_mips = 0;
};

// Deadlines of one attempt, in host time. They end what hangs; they are not
// predictions, so they are generous.
struct Budget {
  absl::Duration boot;
  absl::Duration attach;
  absl::Duration test;
  absl::Duration shutdown;
  absl::Duration total;
};

// Shape: every deadline grows with duration, vCPUs, overcommitment (vCPUs per
//        host CPU) and slowness of the host, never shrinks; total is the sum of
//        the others and a margin. All fixed numbers are in the .cc file.
Budget BudgetFor(const BudgetInputs& inputs);

// Factor by which a host is slower than a direct one: 1 to 20.
double Slowness(bool is_emulated, double guest_mips);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_PLACEMENT_BUDGET_H_
