// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/frames.h"

#include <string>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

std::string Frame(const std::string& payload) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += char(payload.size() >> (8 * i) & 0xff);
  return out + payload;
}

v1::TestFrame Started() {
  v1::TestFrame frame;
  frame.set_started(true);
  return frame;
}

TEST(FrameReaderTest, ReassemblesFramesFromSingleBytes) {
  FrameReader reader;
  v1::TestFrame verdict;
  verdict.mutable_verdict()->set_skip_reason(std::string(5000, 'x'));
  std::string bytes =
      Frame(Started().SerializeAsString()) + Frame(verdict.SerializeAsString());
  int frames = 0;
  for (char byte : bytes) {
    reader.Append(absl::string_view(&byte, 1));
    ASSERT_OK_AND_ASSIGN(auto frame, reader.Next());
    if (!frame) continue;
    ++frames;
    EXPECT_EQ(frame->has_verdict(), frames == 2);
  }
  EXPECT_EQ(frames, 2);
  EXPECT_EQ(reader.pending_bytes(), 0u);
}

TEST(FrameReaderTest, SeveralFramesInOnePiece) {
  FrameReader reader;
  std::string one = Frame(Started().SerializeAsString());
  reader.Append(one + one + one.substr(0, 3));
  EXPECT_TRUE((*reader.Next()).has_value());
  EXPECT_TRUE((*reader.Next()).has_value());
  EXPECT_FALSE((*reader.Next()).has_value());
  EXPECT_EQ(reader.pending_bytes(), 3u);
}

TEST(FrameReaderTest, ImpossibleLengthIsAnErrorForGood) {
  for (std::string head : {std::string("\0\0\0\0", 4),
                           std::string("\x01\0\x10\0", 4),  // 1 MiB + 1
                           std::string("\xff\xff\xff\xff", 4)}) {
    FrameReader reader;
    reader.Append(head);
    EXPECT_THAT(reader.Next(), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("accepted are")));
    reader.Append(Frame(Started().SerializeAsString()));
    EXPECT_FALSE(reader.Next().ok());
  }
}

TEST(FrameReaderTest, GarbageContentIsAnError) {
  FrameReader reader;
  reader.Append(Frame("\xff\xff\xff\xff"));
  EXPECT_THAT(reader.Next(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("not a TestFrame")));
}

TEST(FrameReaderTest, LongestFrameIsAccepted) {
  v1::TestFrame verdict;
  verdict.mutable_verdict()->set_skip_reason(
      std::string(FrameReader::kMaxFrameBytes - 10, 'x'));
  ASSERT_LE(verdict.ByteSizeLong(), FrameReader::kMaxFrameBytes);
  FrameReader reader;
  reader.Append(Frame(verdict.SerializeAsString()));
  EXPECT_TRUE((*reader.Next()).has_value());
}

}  // namespace
}  // namespace ktstr::guestd
