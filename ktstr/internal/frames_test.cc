// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/frames.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/test_frame.pb.h"

namespace ktstr::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::TestFrame Decode(const std::string& bytes) {
  EXPECT_GE(bytes.size(), 4u);
  uint32_t length = 0;
  for (int i = 3; i >= 0; --i) {
    length = length << 8 | static_cast<uint8_t>(bytes[i]);
  }
  EXPECT_EQ(length, bytes.size() - 4);
  EXPECT_LE(length, kMaxFrameBytes);
  v1::TestFrame frame;
  EXPECT_TRUE(frame.ParseFromString(bytes.substr(4)));
  return frame;
}

TEST(FramesTest, StartedIsAFrameOfItsOwn) {
  EXPECT_TRUE(Decode(EncodeStarted()).started());
}

TEST(FramesTest, StimulusKeepsNanoseconds) {
  v1::TestFrame frame =
      Decode(EncodeStimulus({.elapsed = std::chrono::nanoseconds(1'500'000'001),
                             .step = 2,
                             .op_kinds = 5,
                             .ops = 3,
                             .cgroups = 4,
                             .workers = 8,
                             .total_iterations = int64_t{1} << 40,
                             .label = "narrow"}));
  EXPECT_EQ(frame.stimulus().elapsed().seconds(), 1);
  EXPECT_EQ(frame.stimulus().elapsed().nanos(), 500'000'001);
  EXPECT_EQ(frame.stimulus().step(), 2);
  EXPECT_EQ(frame.stimulus().op_kinds(), 5u);
  EXPECT_EQ(frame.stimulus().workers(), 8);
  EXPECT_EQ(frame.stimulus().total_iterations(), int64_t{1} << 40);
  EXPECT_EQ(frame.stimulus().label(), "narrow");
}

TEST(FramesTest, UnsetStatsStayUnset) {
  Verdict verdict;
  verdict.groups.push_back(
      {.cgroup = "cg_0", .workers = 2, .spread_pct = 0.0, .migrations = 3});
  const v1::Verdict sent = Decode(EncodeVerdict(verdict)).verdict();
  EXPECT_TRUE(sent.passed());
  ASSERT_EQ(sent.groups_size(), 1);
  EXPECT_TRUE(sent.groups(0).has_spread_pct());
  EXPECT_FALSE(sent.groups(0).has_max_gap_ms());
  EXPECT_FALSE(sent.groups(0).has_p99_wake_latency_us());
  EXPECT_EQ(sent.groups(0).migrations(), 3);
}

TEST(FramesTest, FindingsKeepKindMessageAndCgroup) {
  Verdict verdict;
  verdict.Add({.kind = FindingKind::kStuck, .message = "m", .cgroup = "cg_1"});
  const v1::Verdict sent = Decode(EncodeVerdict(verdict)).verdict();
  EXPECT_FALSE(sent.passed());
  ASSERT_EQ(sent.findings_size(), 1);
  EXPECT_EQ(sent.findings(0).kind(), v1::STUCK);
  EXPECT_EQ(sent.findings(0).message(), "m");
  EXPECT_EQ(sent.findings(0).cgroup(), "cg_1");
}

TEST(FramesTest, ASkipCarriesItsReason) {
  const v1::Verdict sent = Decode(EncodeVerdict(skip("one CPU"))).verdict();
  EXPECT_TRUE(sent.skipped());
  EXPECT_TRUE(sent.passed());
  EXPECT_EQ(sent.skip_reason(), "one CPU");
}

TEST(FramesTest, TooLongAVerdictSaysWhatIsLeftOut) {
  Verdict verdict;
  for (int i = 0; i < 2000; ++i) {
    verdict.Add(
        {.kind = FindingKind::kStarved, .message = std::string(3000, 'x')});
  }
  const v1::Verdict sent = Decode(EncodeVerdict(verdict)).verdict();
  EXPECT_FALSE(sent.passed());
  ASSERT_GT(sent.findings_size(), 1);
  EXPECT_EQ(sent.findings(0).kind(), v1::STARVED);
  EXPECT_THAT(sent.findings(sent.findings_size() - 1).message(),
              HasSubstr("left out"));
}

TEST(FramesTest, BytesThatAreNoTextStayReadable) {
  Verdict verdict = fail("a\xff\xc3\xa4\xe2\x82");
  EXPECT_EQ(Decode(EncodeVerdict(verdict)).verdict().findings(0).message(),
            "a?\xc3\xa4??");
}

TEST(FramesTest, ClippingCutsNoCharacter) {
  std::string text(4095, 'x');
  text += "\xc3\xa4";
  EXPECT_EQ(
      Decode(EncodeVerdict(fail(text))).verdict().findings(0).message().size(),
      4095u);
}

}  // namespace
}  // namespace ktstr::internal
