// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/verify.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kconfig/requirements.h"

namespace ktstr::kconfig {
namespace {

bool Satisfies(absl::string_view actual, absl::string_view wanted) {
  if (wanted == "m or y") return actual == "m" || actual == "y";
  return actual == wanted;
}

absl::string_view FeatureOf(absl::string_view option) {
  for (const RequiredOption& row : RequiredOptions()) {
    if (row.option == option) return row.feature;
  }
  return "";
}

}  // namespace

absl::Span<const Requirement> AllRequirements() {
  using enum Requirement;
  static constexpr Requirement kAll[] = {
      kBoot, kChannel, kTopology, kCgroups, kSchedExt, kTracing, kMonitor};
  return kAll;
}

absl::string_view RequirementName(Requirement requirement) {
  switch (requirement) {
    case Requirement::kUnspecified:
      break;
    case Requirement::kBoot:
      return "boot";
    case Requirement::kChannel:
      return "channel";
    case Requirement::kTopology:
      return "topology";
    case Requirement::kCgroups:
      return "cgroups";
    case Requirement::kSchedExt:
      return "sched_ext";
    case Requirement::kTracing:
      return "tracing";
    case Requirement::kMonitor:
      return "monitor";
  }
  return "unspecified";
}

std::string MissingOption::ToString() const {
  return absl::StrCat("CONFIG_", option, " is ", actual, ", needs ", wanted,
                      feature.empty() ? "" : ": ", feature);
}

std::vector<MissingOption> MissingFor(Requirement requirement,
                                      const Kconfig& config) {
  std::vector<MissingOption> missing;
  for (const RequiredOption& row : RequiredOptions()) {
    if (row.requirement != requirement) continue;
    absl::string_view actual = config.Get(row.option);
    if (Satisfies(actual, row.wanted)) continue;
    missing.push_back({.option = std::string(row.option),
                       .wanted = std::string(row.wanted),
                       .actual = std::string(actual),
                       .feature = std::string(row.feature)});
  }
  return missing;
}

std::vector<MissingOption> Verify(const Kconfig& requested,
                                  const Kconfig& actual) {
  std::vector<MissingOption> missing;
  for (const auto& [option, value] : requested.options()) {
    absl::string_view got = actual.Get(option);
    if (got == value) continue;
    missing.push_back({.option = option,
                       .wanted = value,
                       .actual = std::string(got),
                       .feature = std::string(FeatureOf(option))});
  }
  return missing;
}

absl::Status ToStatus(absl::string_view subject,
                      absl::Span<const MissingOption> missing) {
  if (missing.empty()) return absl::OkStatus();
  auto append = [](std::string* out, const MissingOption& option) {
    absl::StrAppend(out, option.ToString());
  };
  return absl::FailedPreconditionError(
      absl::StrCat(subject, ": ", missing.size(),
                   missing.size() == 1 ? " option is" : " options are",
                   " not as needed: ", absl::StrJoin(missing, "; ", append)));
}

}  // namespace ktstr::kconfig
