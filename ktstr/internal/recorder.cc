// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/recorder.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ktstr::internal {
namespace {

constexpr size_t kMaxName = 128;
constexpr size_t kMaxUnit = 32;

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) ||
                  absl::string_view("_./-").find(c) != absl::string_view::npos;
         });
}

bool IsUnit(const std::string& unit) {
  return unit.size() <= kMaxUnit &&
         std::all_of(unit.begin(), unit.end(),
                     [](char c) { return absl::ascii_isprint(c); });
}

absl::Status Check(const Measurement& measurement) {
  const std::string what = absl::StrCat(
      "record(\"", absl::CHexEscape(measurement.name.substr(0, kMaxName)),
      "\"): ");
  if (!IsName(measurement.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, "a name is 1 to ", kMaxName,
                     " of the characters a-z A-Z 0-9 _ . / -"));
  }
  if (!IsUnit(measurement.unit)) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, "a unit is at most ", kMaxUnit, " printable ASCII characters"));
  }
  if (!std::isfinite(measurement.value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, "the value ", measurement.value, " is not finite"));
  }
  if (!std::isfinite(measurement.polarity.target_value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, "the target ", measurement.polarity.target_value,
                     " is not finite"));
  }
  return absl::OkStatus();
}

}  // namespace

void Recorder::Add(Measurement measurement) {
  absl::Status status = Check(measurement);
  const bool is_known = std::any_of(
      kept_.begin(), kept_.end(),
      [&](const Measurement& kept) { return kept.name == measurement.name; });
  if (status.ok() && is_known) {
    status = absl::AlreadyExistsError(absl::StrCat(
        "record(\"", measurement.name, "\"): it has been recorded already"));
  }
  if (status.ok() && kept_.size() == kMax) {
    status =
        absl::ResourceExhaustedError(absl::StrCat("record(\"", measurement.name,
                                                  "\"): a test records at "
                                                  "most ",
                                                  kMax, " numbers"));
  }
  if (status.ok()) {
    kept_.push_back(std::move(measurement));
  } else {
    first_problem_.Update(status);
  }
}

void Recorder::AddTo(Verdict& verdict) {
  std::move(kept_.begin(), kept_.end(),
            std::back_inserter(verdict.measurements));
  kept_.clear();
  if (first_problem_.ok()) return;
  verdict.Add({.kind = FindingKind::kTestBodyError,
               .message = std::string(first_problem_.message())});
}

}  // namespace ktstr::internal
