// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/watchdog_override.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::testing::HasSubstr;

constexpr uint64_t kRamBytes = 1 << 20;
constexpr WatchdogVariables kVariables = {.timeout_address = 0x1000,
                                          .timestamp_address = 0x2008};
// Of the scheduler: 30 s after tick 5,000, at 250 ticks a second.
constexpr uint64_t kOwnTimeout = 7500;
constexpr uint64_t kAttachedAt = 5000;
constexpr int kHz = 250;

// A guest's memory, also for the test to play the guest.
class WatchdogOverrideTest : public ::testing::Test {
 protected:
  WatchdogOverrideTest() : file_(memfd_create("ram", MFD_ALLOW_SEALING)) {
    EXPECT_EQ(ftruncate(file_.get(), kRamBytes), 0);
    EXPECT_EQ(fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
    guest_ = Ram();
    Poke(kVariables.timeout_address, kOwnTimeout);
    Poke(kVariables.timestamp_address, kAttachedAt);
  }

  absl::StatusOr<GuestRam> Ram() {
    std::vector<UniqueFd> files;
    files.emplace_back(dup(file_.get()));
    return GuestRam::Create(FormatMemoryMap({{0, kRamBytes, 0, 0}}),
                            std::move(files));
  }
  void Poke(uint64_t address, uint64_t value) {
    EXPECT_OK(guest_->WriteU64(address, value));
  }
  absl::StatusOr<uint64_t> Timeout() {
    return guest_->ReadU64(kVariables.timeout_address);
  }
  absl::StatusOr<uint64_t> LastLook() {
    return guest_->ReadU64(kVariables.timestamp_address);
  }

  UniqueFd file_;
  absl::StatusOr<GuestRam> guest_ = absl::UnknownError("");
};

TEST_F(WatchdogOverrideTest, ShorterHoldsFromTheNextLook) {
  WatchdogOverride override(absl::Seconds(1), kHz, kVariables);
  override.Write(Ram());
  EXPECT_THAT(Timeout(), IsOkAndHolds(250u));
  // No tick may take the look that is due only then for one that is late.
  EXPECT_THAT(LastLook(), IsOkAndHolds(kAttachedAt + kOwnTimeout / 2));
  Poke(kVariables.timestamp_address, kAttachedAt + kOwnTimeout / 2 + 1);
  override.ReadBack();
  ktstr::v1::WatchdogOverride report = override.report();
  EXPECT_TRUE(report.had_effect()) << report.detail();
  EXPECT_EQ(report.detail(), "");
  EXPECT_EQ(report.jiffies_before(), kOwnTimeout);
  EXPECT_EQ(report.jiffies_written(), 250u);
  EXPECT_EQ(report.jiffies_read(), 250u);
  EXPECT_EQ(report.timeout().seconds(), 1);
}

TEST_F(WatchdogOverrideTest, WithoutALookItHadNoEffect) {
  WatchdogOverride override(absl::Seconds(1), kHz, kVariables);
  override.Write(Ram());
  override.ReadBack();
  EXPECT_FALSE(override.report().had_effect());
  EXPECT_EQ(override.report().jiffies_read(), 250u);
  EXPECT_THAT(override.report().detail(), HasSubstr("did not look"));
}

TEST_F(WatchdogOverrideTest, LongerHoldsAtOnce) {
  WatchdogOverride override(absl::Seconds(60), kHz, kVariables);
  override.Write(Ram());
  EXPECT_THAT(Timeout(), IsOkAndHolds(15000u));
  EXPECT_THAT(LastLook(), IsOkAndHolds(kAttachedAt));
  override.ReadBack();
  EXPECT_TRUE(override.report().had_effect());
}

TEST_F(WatchdogOverrideTest, ValueThatTheKernelReplacedHadNoEffect) {
  WatchdogOverride override(absl::Seconds(1), kHz, kVariables);
  override.Write(Ram());
  Poke(kVariables.timeout_address, 1000);
  override.ReadBack();
  EXPECT_FALSE(override.report().had_effect());
  EXPECT_EQ(override.report().jiffies_read(), 1000u);
  EXPECT_THAT(override.report().detail(), HasSubstr("from 250 to 1000"));
}

TEST_F(WatchdogOverrideTest, RoundsUpToWholeTicks) {
  WatchdogOverride override(absl::Milliseconds(1501), kHz, kVariables);
  override.Write(Ram());
  EXPECT_THAT(Timeout(), IsOkAndHolds(376u));
}

TEST_F(WatchdogOverrideTest, SaysWhyItCannot) {
  auto detail = [this](int hz, absl::StatusOr<WatchdogVariables> variables,
                       bool has_ram) {
    WatchdogOverride override(absl::Seconds(1), hz, std::move(variables));
    override.Write(has_ram ? Ram() : absl::UnavailableError("no memory came"));
    override.ReadBack();
    EXPECT_FALSE(override.report().had_effect());
    EXPECT_FALSE(override.report().has_jiffies_written());
    EXPECT_THAT(Timeout(), IsOkAndHolds(kOwnTimeout));
    return override.report().detail();
  };
  EXPECT_THAT(detail(0, kVariables, true), HasSubstr("CONFIG_HZ"));
  EXPECT_THAT(detail(kHz, absl::NotFoundError("no variable x"), true),
              HasSubstr("no variable x"));
  EXPECT_THAT(detail(kHz, kVariables, false), HasSubstr("no memory came"));
  EXPECT_THAT(detail(kHz, WatchdogVariables{1 << 30, 1 << 30}, true),
              HasSubstr("is no RAM"));
  WatchdogOverride never(absl::Seconds(1), kHz, kVariables);
  never.ReadBack();
  EXPECT_THAT(never.report().detail(), HasSubstr("did not attach"));
}

}  // namespace
}  // namespace ktstr::hostd
