// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/proto_time.h"

#include "gtest/gtest.h"

namespace ktstr {
namespace {

TEST(ProtoTimeTest, DurationsSurviveTheWire) {
  for (absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(1500),
        -absl::Milliseconds(1500), absl::Hours(1000000)}) {
    EXPECT_EQ(FromProtoDuration(ToProtoDuration(duration)), duration);
  }
}

// google/protobuf/duration.proto: both fields have the same sign.
TEST(ProtoTimeTest, SignsOfSecondsAndNanosecondsAgree) {
  google::protobuf::Duration proto = ToProtoDuration(-absl::Milliseconds(1500));
  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), -500000000);
}

TEST(ProtoTimeTest, WhatTheWireCannotHoldIsItsNearestEnd) {
  EXPECT_EQ(ToProtoDuration(absl::InfiniteDuration()).seconds(), 315576000000);
  EXPECT_EQ(ToProtoDuration(-absl::InfiniteDuration()).seconds(),
            -315576000000);
  EXPECT_EQ(ToProtoTime(absl::InfinitePast()).seconds(), -62135596800);
}

TEST(ProtoTimeTest, UnsetBecomesTheFallback) {
  EXPECT_EQ(FromProtoDurationOr({}, absl::Seconds(3)), absl::Seconds(3));
  EXPECT_EQ(
      FromProtoDurationOr(ToProtoDuration(-absl::Seconds(1)), absl::Seconds(3)),
      absl::Seconds(3));
  EXPECT_EQ(
      FromProtoDurationOr(ToProtoDuration(absl::Seconds(1)), absl::Seconds(3)),
      absl::Seconds(1));
}

}  // namespace
}  // namespace ktstr
