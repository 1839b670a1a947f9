// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_PROTO_TIME_H_
#define KTSTR_GUESTD_PROTO_TIME_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace ktstr::guestd {

inline google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

// Zero or negative (unset) becomes `if_unset`.
inline absl::Duration FromProto(const google::protobuf::Duration& proto,
                                absl::Duration if_unset) {
  absl::Duration duration =
      absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
  return duration > absl::ZeroDuration() ? duration : if_unset;
}

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_PROTO_TIME_H_
