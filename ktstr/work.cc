// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/work.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace ktstr {

absl::Status SchedPolicy::Validate() const {
  if (kind != Kind::kDeadline) return absl::OkStatus();
  // What the kernel takes; it wants runtimes above its own clock's error.
  constexpr std::chrono::nanoseconds kShortest(1024);
  if (kShortest <= runtime && runtime <= relative_deadline &&
      relative_deadline <= period && period <= std::chrono::hours(1)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("policy ", ToString(),
                   ": runtime, deadline and period rise from 1024 ns at least "
                   "to an hour at most"));
}
std::string SchedPolicy::ToString() const {
  switch (kind) {
    case Kind::kNormal:
      return "normal";
    case Kind::kBatch:
      return "batch";
    case Kind::kIdle:
      return "idle";
    case Kind::kFifo:
      return absl::StrCat("fifo(", priority, ")");
    case Kind::kRoundRobin:
      return absl::StrCat("round_robin(", priority, ")");
    case Kind::kDeadline: {
      auto text = [](std::chrono::nanoseconds time) {
        return absl::FormatDuration(absl::FromChrono(time));
      };
      return absl::StrCat("deadline(", text(runtime), ", ",
                          text(relative_deadline), ", ", text(period), ")");
    }
  }
  return "unknown";
}

}  // namespace ktstr
