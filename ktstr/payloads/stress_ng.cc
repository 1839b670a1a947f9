// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/payloads/stress_ng.h"

#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ktstr::payloads {
namespace {

constexpr struct {
  const char* name;
  const char* unit;
  bool is_result;  // more is better
} kColumns[] = {
    {"bogo_ops", "", false},         {"real_s", "s", false},
    {"user_s", "s", false},          {"system_s", "s", false},
    {"bogo_ops_per_s", "1/s", true}, {"bogo_ops_per_cpu_s", "1/s", true}};

}  // namespace

std::vector<PayloadMetric> ReadStressNg(std::string_view text) {
  std::vector<PayloadMetric> metrics;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    // "stress-ng: metrc: [123] cpu  644  1.07  0.30  0.00  599.93  2106.59"
    const size_t at = line.find("] ");
    if (!absl::StartsWith(line, "stress-ng: ") ||
        at == absl::string_view::npos) {
      continue;
    }
    const std::vector<absl::string_view> words =
        absl::StrSplit(line.substr(at + 2), ' ', absl::SkipEmpty());
    if (words.size() <= std::size(kColumns)) continue;
    double values[std::size(kColumns)];
    bool is_row = true;
    for (size_t i = 0; i < std::size(kColumns); ++i) {
      is_row = is_row && absl::SimpleAtod(words[i + 1], &values[i]);
    }
    if (!is_row) continue;
    for (size_t i = 0; i < std::size(kColumns); ++i) {
      metrics.push_back({.name = absl::StrCat(words[0], ".", kColumns[i].name),
                         .value = values[i],
                         .unit = kColumns[i].unit,
                         .polarity = kColumns[i].is_result
                                         ? Polarity::higher_better()
                                         : Polarity::unknown()});
    }
  }
  return metrics;
}

}  // namespace ktstr::payloads
