// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Tests that say what is to be made of their failures. End-to-end tests assert
// that it is.
#include "base/file.h"
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;

// PASS: as expected.
KTSTR_TEST(panics_as_expected, .expect = expect(FindingKind::kKernelPanic)) {
  if (absl::Status status = WriteExisting("/proc/sysrq-trigger", "c");
      !status.ok()) {
    return status;
  }
  return fail("the kernel survived sysrq c");
}

// FAIL (NotAsExpected), and it does not count.
KTSTR_TEST(passes_unexpectedly, .expect = expect(FindingKind::kStuck),
           .quarantine = {.reason = "kept to show this",
                          .until = "2999-12-31"}) {
  return pass();
}

// PASS or FAIL, by the seed of the run: one of them is enough.
KTSTR_TEST(one_of_two, .repeat = 2, .require = 1) {
  return ctx.seed() % 2 == 0 ? pass() : fail("the seed of this run is odd");
}

}  // namespace
