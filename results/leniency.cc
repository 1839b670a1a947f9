// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/leniency.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/printable.h"

namespace ktstr::results {
namespace {

// Name that the runs of a repeated variant share.
std::string NameOfRuns(const v1::VariantSpec& spec) {
  return spec.name().substr(0, spec.name().rfind('#'));
}

bool IsFailure(const v1::Variant& variant) {
  const v1::Outcome outcome = variant.result().outcome();
  return outcome == v1::FAIL || outcome == v1::ERROR;
}

std::string Describe(const v1::Quarantine& quarantine) {
  return absl::StrCat(PrintableLine(quarantine.until(), 20), " (",
                      PrintableLine(quarantine.reason(), 200), ")");
}

}  // namespace

Leniency::Leniency(const std::vector<const v1::Variant*>& variants,
                   absl::Time now)
    : variants_(variants),
      today_(absl::FormatTime("%Y-%m-%d", now, absl::UTCTimeZone())) {
  for (const v1::Variant* variant : variants_) {
    if (!variant->spec().has_repetition()) continue;
    Runs& runs = runs_[NameOfRuns(variant->spec())];
    ++runs.all;
    runs.passed += variant->result().outcome() == v1::PASS;
  }
  for (const v1::Variant* variant : variants_) {
    if (!IsFailure(*variant)) continue;
    ++(WhyForgiven(*variant).empty() ? failures_ : forgiven_);
  }
}

// Days of this form compare as text.
bool Leniency::IsQuarantined(const v1::Variant& variant) const {
  return variant.spec().has_quarantine() &&
         today_ <= variant.spec().quarantine().until();
}

std::string Leniency::WhyForgiven(const v1::Variant& variant) const {
  if (!IsFailure(variant)) return "";
  const v1::VariantSpec& spec = variant.spec();
  if (IsQuarantined(variant)) {
    return absl::StrCat("quarantined until ", Describe(spec.quarantine()));
  }
  if (!spec.has_repetition() || variant.result().outcome() != v1::FAIL) {
    return "";
  }
  auto runs = runs_.find(NameOfRuns(spec));
  if (runs == runs_.end()) return "";
  const int wanted = std::min(spec.repetition().require(), runs->second.all);
  if (runs->second.passed < wanted) return "";
  return absl::StrCat(runs->second.passed, " of ", runs->second.all,
                      " runs passed, ", wanted, " must");
}

std::vector<std::string> Leniency::Notes() const {
  std::vector<std::string> notes;
  for (const v1::Variant* variant : variants_) {
    if (!IsFailure(*variant)) continue;
    const std::string name = PrintableLine(variant->spec().name());
    const std::string why = WhyForgiven(*variant);
    if (!why.empty()) {
      notes.push_back(absl::StrCat(name, ": ",
                                   OutcomeName(variant->result().outcome()),
                                   " does not fail the run: ", why));
    } else if (variant->spec().has_quarantine()) {
      notes.push_back(absl::StrCat(name, ": its quarantine is over since ",
                                   Describe(variant->spec().quarantine()),
                                   ", its failures count"));
    }
  }
  return notes;
}

}  // namespace ktstr::results
