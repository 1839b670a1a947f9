// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_PROTO_TIME_H_
#define KTSTR_BASE_PROTO_TIME_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace ktstr {

// Nanoseconds below the unit are cut off. What the wire cannot hold (infinite,
// beyond 10,000 years) becomes the nearest end of its range.
google::protobuf::Duration ToProtoDuration(absl::Duration duration);
google::protobuf::Timestamp ToProtoTime(absl::Time time);

// Never fails: fields beyond the range count as written.
absl::Duration FromProtoDuration(const google::protobuf::Duration& duration);
// The same; `if_unset` for zero and less.
absl::Duration FromProtoDurationOr(const google::protobuf::Duration& duration,
                                   absl::Duration if_unset);

}  // namespace ktstr

#endif  // KTSTR_BASE_PROTO_TIME_H_
