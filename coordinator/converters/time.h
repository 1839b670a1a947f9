// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_CONVERTERS_TIME_H_
#define KTSTR_COORDINATOR_CONVERTERS_TIME_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace ktstr::coordinator {

// Nanoseconds below the unit are cut off. What the wire cannot hold (infinite,
// beyond 10,000 years) becomes the nearest end of its range.
google::protobuf::Duration ToProtoDuration(absl::Duration duration);
google::protobuf::Timestamp ToProtoTime(absl::Time time);

// Never fails: fields beyond the range count as written.
absl::Duration FromProtoDuration(const google::protobuf::Duration& duration);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_CONVERTERS_TIME_H_
