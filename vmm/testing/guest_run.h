// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_TESTING_GUEST_RUN_H_
#define KTSTR_VMM_TESTING_GUEST_RUN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/machine_spec.h"
#include "vmm/end_latch.h"
#include "vmm/testing/guest_program.h"

namespace ktstr::vmm {

// What a machine left behind.
struct GuestRun {
  MachineOutcome outcome;
  std::string console;
  std::vector<MachineEvent> events;

  // Null when it was not reported.
  const MachineEvent* Find(absl::string_view event) const;
};

// Boots `program` on the real /dev/kvm in this process. Descriptors of `spec`
// are filled in, except control_fd. A deadline of ten seconds unless it has
// one.
absl::StatusOr<GuestRun> RunGuest(const GuestProgram& program,
                                  MachineSpec spec = {});

// Why a test that needs /dev/kvm cannot run here; empty when it can.
std::string WhyNoKvm();

// First line of each test on the real /dev/kvm: a visible skip where there is
// none, a failure where there must be one (CI=true).
#define KTSTR_REQUIRE_KVM()                                          \
  do {                                                               \
    if (std::string why = ::ktstr::vmm::WhyNoKvm(); !why.empty()) {  \
      const char* ci = getenv("CI");                                 \
      if (ci != nullptr && std::string(ci) == "true") FAIL() << why; \
      GTEST_SKIP() << why;                                           \
    }                                                                \
  } while (false)

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_TESTING_GUEST_RUN_H_
