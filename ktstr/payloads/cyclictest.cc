// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/payloads/cyclictest.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ktstr::payloads {
namespace {

// The number behind `key` ("Max:"), perhaps after spaces.
std::optional<double> Behind(absl::string_view line, absl::string_view key) {
  const size_t at = line.find(key);
  if (at == absl::string_view::npos) return std::nullopt;
  absl::string_view rest =
      absl::StripLeadingAsciiWhitespace(line.substr(at + key.size()));
  double value = 0;
  if (!absl::SimpleAtod(rest.substr(0, rest.find(' ')), &value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::vector<PayloadMetric> ReadCyclictest(std::string_view text) {
  std::vector<PayloadMetric> metrics;
  std::optional<double> worst;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    // "T: 0 (17601) P: 0 I:1000 C:    200 Min:  62 Act:  70 Avg: 192 Max: 4870"
    if (!absl::ConsumePrefix(&line, "T:")) continue;
    const std::optional<double> thread = Behind(line, "");
    const std::optional<double> cycles = Behind(line, " C:");
    const std::optional<double> min = Behind(line, " Min:");
    const std::optional<double> avg = Behind(line, " Avg:");
    const std::optional<double> max = Behind(line, " Max:");
    if (!thread || !min || !avg || !max || cycles.value_or(0) <= 0) continue;
    const std::string prefix = absl::StrCat("thread.", *thread, ".");
    metrics.push_back({.name = prefix + "cycles", .value = *cycles});
    for (auto [name, value] :
         {std::pair("min", *min), {"avg", *avg}, {"max", *max}}) {
      metrics.push_back({.name = prefix + name,
                         .value = value,
                         .unit = "us",
                         .polarity = Polarity::lower_better()});
    }
    worst = std::max(worst.value_or(*max), *max);
  }
  if (worst) metrics.push_back({.name = "max", .value = *worst});
  return metrics;
}

}  // namespace ktstr::payloads
