// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/payloads/schbench.h"

#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ktstr::payloads {
namespace {

// "Wakeup Latencies percentiles (usec) runtime 10 (s) (3 total samples)" ->
// "wakeup"; empty: no table begins here.
std::string TableOf(absl::string_view line) {
  if (!absl::StrContains(line, " percentiles (")) return "";
  return absl::AsciiStrToLower(line.substr(0, line.find(' ')));
}

// "* 99.0th: 20         (18323 samples)" -> "p99", 20.
bool ReadPercentile(absl::string_view line, std::string& name, double& value) {
  absl::ConsumePrefix(&line, "* ");
  const size_t at = line.find("th:");
  if (at == absl::string_view::npos) return false;
  absl::string_view percent = line.substr(0, at);
  absl::ConsumeSuffix(&percent, ".0");
  absl::string_view number =
      absl::StripLeadingAsciiWhitespace(line.substr(at + 3));
  number = number.substr(0, number.find(' '));
  double ignored = 0;
  if (!absl::SimpleAtod(percent, &ignored)) return false;
  name = absl::StrCat("p", percent);
  return absl::SimpleAtod(number, &value);
}

}  // namespace

std::vector<PayloadMetric> ReadSchbench(std::string_view text) {
  std::map<std::string, double> values;
  std::string table;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    line = absl::StripAsciiWhitespace(line);
    std::string begins = TableOf(line);
    if (!begins.empty()) {
      table = std::move(begins);
      continue;
    }
    std::string name;
    double value = 0;
    if (absl::ConsumePrefix(&line, "average rps: ")) {
      if (absl::SimpleAtod(line, &value)) values["average_rps"] = value;
    } else if (table.empty()) {
      continue;
    } else if (ReadPercentile(line, name, value)) {
      values[absl::StrCat(table, ".", name)] = value;
    } else if (absl::ConsumePrefix(&line, "min=")) {
      std::pair<absl::string_view, absl::string_view> ends =
          absl::StrSplit(line, absl::MaxSplits(", max=", 1));
      if (absl::SimpleAtod(ends.first, &value)) {
        values[absl::StrCat(table, ".min")] = value;
      }
      if (absl::SimpleAtod(ends.second, &value)) {
        values[absl::StrCat(table, ".max")] = value;
      }
    }
  }
  std::vector<PayloadMetric> metrics;
  for (const auto& [name, value] : values) {
    metrics.push_back({.name = name, .value = value});
  }
  return metrics;
}

}  // namespace ktstr::payloads
