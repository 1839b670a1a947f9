// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/payloads/hackbench.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ktstr::payloads {

std::vector<PayloadMetric> ReadHackbench(std::string_view text) {
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    double seconds = 0;
    if (absl::ConsumePrefix(&line, "Time: ") &&
        absl::SimpleAtod(line, &seconds)) {
      return {{.name = "time", .value = seconds}};
    }
  }
  return {};
}

}  // namespace ktstr::payloads
