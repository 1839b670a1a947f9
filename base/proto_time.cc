// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/proto_time.h"

#include <algorithm>

namespace ktstr {
namespace {

// google/protobuf/duration.proto and timestamp.proto.
constexpr absl::Duration kLongest = absl::Seconds(315576000000);
constexpr int64_t kFirstSecond = -62135596800;
constexpr int64_t kLastSecond = 253402300799;

}  // namespace

google::protobuf::Duration ToProtoDuration(absl::Duration duration) {
  duration = std::clamp(duration, -kLongest, kLongest);
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(
      absl::IDivDuration(duration, absl::Nanoseconds(1), &duration));
  return proto;
}

google::protobuf::Timestamp ToProtoTime(absl::Time time) {
  time = std::clamp(time, absl::FromUnixSeconds(kFirstSecond),
                    absl::FromUnixSeconds(kLastSecond));
  google::protobuf::Timestamp proto;
  proto.set_seconds(absl::ToUnixSeconds(time));
  proto.set_nanos(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(proto.seconds())));
  return proto;
}

absl::Duration FromProtoDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::Duration FromProtoDurationOr(const google::protobuf::Duration& duration,
                                   absl::Duration if_unset) {
  absl::Duration value = FromProtoDuration(duration);
  return value > absl::ZeroDuration() ? value : if_unset;
}

}  // namespace ktstr
