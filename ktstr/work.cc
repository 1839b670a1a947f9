// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/work.h"

#include "absl/strings/str_cat.h"

namespace ktstr {
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
  }
  return "unknown";
}

}  // namespace ktstr
