// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/verifier_log.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Of Linux 6.12, log level BPF_LOG_STATS.
constexpr char kStats[] =
    "verification time 1234 usec\n"
    "stack depth 48+0+16\n"
    "processed 2751 insns (limit 1000000) max_states_per_insn 4 total_states "
    "206 peak_states 97 mark_read 12\n";

TEST(VerifierLogTest, ReadsEveryFigure) {
  VerifierStats stats = ParseVerifierStats(kStats);
  EXPECT_EQ(stats.processed_insns, 2751u);
  EXPECT_EQ(stats.insn_limit, 1000000u);
  EXPECT_EQ(stats.max_states_per_insn, 4u);
  EXPECT_EQ(stats.total_states, 206u);
  EXPECT_EQ(stats.peak_states, 97u);
  EXPECT_EQ(stats.verification_time, absl::Microseconds(1234));
  EXPECT_THAT(stats.stack_depths, ElementsAre(48, 0, 16));
}

TEST(VerifierLogTest, OfARejectionOnlySomeFiguresExist) {
  VerifierStats stats = ParseVerifierStats(
      "0: R1=ctx() R10=fp0\n; x = 1 @ main.c:3\n0: (79) r1 = *(u64 *)(r1 +0)\n"
      "R1 invalid mem access 'scalar'\n"
      "processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 "
      "peak_states 0 mark_read 0\n");
  EXPECT_EQ(stats.processed_insns, 1u);
  EXPECT_EQ(stats.total_states, 0u);
  EXPECT_EQ(stats.verification_time, absl::nullopt);
  EXPECT_THAT(stats.stack_depths, IsEmpty());
}

TEST(VerifierLogTest, TheLastFigureCounts) {
  EXPECT_EQ(
      ParseVerifierStats("processed 7 insns (limit 9)\nprocessed 8 insns (lim")
          .processed_insns,
      8u);
}

TEST(VerifierLogTest, MalformedFiguresStayEmpty) {
  for (const char* log :
       {"", "\n\n", "processed", "processed  insns", "processed -1 insns",
        "processed 99999999999 insns (limit 99999999999)", " processed 5 insns",
        "verification time usec", "stack depth ", "stack depth 1+",
        "stack depth 1+x", "stack depth +"}) {
    SCOPED_TRACE(log);
    VerifierStats stats = ParseVerifierStats(log);
    EXPECT_EQ(stats.processed_insns, absl::nullopt);
    EXPECT_EQ(stats.insn_limit, absl::nullopt);
    EXPECT_EQ(stats.verification_time, absl::nullopt);
    EXPECT_THAT(stats.stack_depths, IsEmpty());
  }
}

TEST(VerifierLogTest, KeepsABoundedNumberOfFrames) {
  std::string log = "stack depth 8";
  for (int i = 0; i < 100000; ++i) log += "+8";
  EXPECT_THAT(ParseVerifierStats(log).stack_depths,
              SizeIs(VerifierStats::kMaxFrames));
}

}  // namespace
}  // namespace ktstr::guestd
