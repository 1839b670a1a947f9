// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/worker_report.h"

#include <string.h>

#include "absl/strings/str_cat.h"

namespace ktstr {

std::string WorkerExit::ToString() const {
  switch (kind) {
    case Kind::kReported:
      return "reported";
    case Kind::kExited:
      return absl::StrCat("exited with code ", value);
    case Kind::kSignaled:
      return absl::StrCat("killed by signal ", value, " (", strsignal(value),
                          ")");
    case Kind::kTimedOut:
      return "still running when collection ended";
    case Kind::kWaitFailed:
      return absl::StrCat("wait failed: ", strerror(value));
  }
  return "unknown";
}

}  // namespace ktstr
