// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/performance.h"

#include <sched.h>

#include <thread>

#include "base/host_cpus.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

HostOffer Generous() {
  return {.cpus = {0, 1, 2, 3},
          .no_fifo_reason = "",
          .free_huge_pages = 256,
          .clocksource = "tsc"};
}

const PerformanceSpec kSpec = {.vcpu_cpus = {1, 2}, .service_cpu = 3};

TEST(PerformanceTest, EnoughIsEnough) {
  EXPECT_OK(CheckOffer(Generous(), kSpec, 512));
}

TEST(PerformanceTest, EveryUnmetPreconditionIsNamed) {
  HostOffer offer = Generous();
  offer.cpus = {0, 1};
  offer.no_fifo_reason = "Operation not permitted";
  offer.free_huge_pages = 255;
  offer.clocksource = "hpet";
  EXPECT_THAT(
      CheckOffer(offer, kSpec, 511),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("host CPUs 2-3 are asked for, 0-1 may be used"),
                     HasSubstr("Operation not permitted"),
                     HasSubstr("256 huge pages of 2 MiB are needed, 255"),
                     HasSubstr("it is hpet"))));
}

TEST(PerformanceTest, WhatIsMetIsNotNamed) {
  HostOffer offer = Generous();
  offer.clocksource = "";
  EXPECT_THAT(CheckOffer(offer, kSpec, 512),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("it is unknown"), Not(HasSubstr("FIFO")),
                             Not(HasSubstr("huge")))));
}

TEST(PerformanceTest, LookingAtTheHostLeavesThisThreadAsItWas) {
  const int before = sched_getscheduler(0);
  const HostOffer offer = ReadHostOffer();
  EXPECT_EQ(sched_getscheduler(0), before);
  EXPECT_EQ(offer.cpus, AllowedHostCpus());
  EXPECT_NE(offer.clocksource, "");
}

TEST(PerformanceTest, ClaimedCpuIsTheOnlyOne) {
  const HostOffer offer = ReadHostOffer();
  const int cpu = offer.cpus.back();
  std::thread([&] {
    absl::Status claimed = ClaimCpu(cpu, kVcpuFifoPriority);
    EXPECT_EQ(claimed.ok(), offer.no_fifo_reason.empty()) << claimed;
    EXPECT_THAT(AllowedHostCpus(), ElementsAre(cpu));
    if (claimed.ok()) {
      EXPECT_EQ(sched_getscheduler(0), SCHED_FIFO);
    }
  }).join();
}

}  // namespace
}  // namespace ktstr::vmm
