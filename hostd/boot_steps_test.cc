// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/boot_steps.h"

#include <map>
#include <string>

#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::map<std::string, int64_t> Steps(absl::string_view log,
                                     absl::Duration hello) {
  std::map<std::string, int64_t> steps;
  for (const auto& step : KernelBootSteps(log, hello)) {
    steps[step.name()] =
        absl::ToInt64Milliseconds(FromProtoDuration(step.since_start()));
  }
  return steps;
}

constexpr char kLog[] =
    "[    0.000000] Linux version 6.12.117\n"
    "[    0.010000] tsc: Detected 2596.122 MHz processor\n"
    "[    0.020000] something else\n"
    "[    0.400000] smp: Brought up 1 node, 4 CPUs\n"
    "[    0.600000] Unpacking initramfs...\n"
    "[    0.900000] Run /init as init process\n"
    "[    1.000000] ktstr: hello\n"
    "[    5.000000] Run /init as init process\n";

TEST(BootStepsTest, KernelTimesAreTiedToTheHello) {
  EXPECT_THAT(Steps(kLog, absl::Milliseconds(1300)),
              ElementsAre(Pair("cpus-up", 700), Pair("kernel-log", 310),
                          Pair("run-init", 1200), Pair("unpack", 900)));
}

TEST(BootStepsTest, NoStepIsBeforeTheStart) {
  EXPECT_THAT(Steps(kLog, absl::Milliseconds(500)),
              ElementsAre(Pair("cpus-up", 0), Pair("kernel-log", 0),
                          Pair("run-init", 400), Pair("unpack", 100)));
}

TEST(BootStepsTest, WithoutTheMarkNothingIsKnown) {
  EXPECT_THAT(Steps("[    0.010000] tsc: Detected\n", absl::Seconds(1)),
              IsEmpty());
  EXPECT_THAT(Steps("", absl::Seconds(1)), IsEmpty());
}

TEST(BootStepsTest, LogsOfAHostileGuestAreReadWithoutTrust) {
  EXPECT_THAT(Steps("[nan] a\n[-1.0] b\n[1e300] c\n[ 1.0]d\n[\n[]\n"
                    "[  inf] e\n[ 9.0] ktstr: hello\n",
                    absl::Seconds(1)),
              IsEmpty());
  // Time runs backwards: not after the hello.
  EXPECT_THAT(Steps("[ 9.0] x\n[ 1.0] ktstr: hello\n", absl::Seconds(2)),
              ElementsAre(Pair("kernel-log", 2000)));
}

}  // namespace
}  // namespace ktstr::hostd
