// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/timeline.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/outcome.pb.h"

namespace ktstr::results {
namespace {

constexpr int kOpKindBits = 32;

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

std::vector<std::string> ActionsOf(const v1::Stimulus& stimulus) {
  std::vector<std::string> actions;
  for (int bit = 0; bit < kOpKindBits; ++bit) {
    if ((stimulus.op_kinds() >> bit & 1) == 0) continue;
    const int number = bit + 1;
    actions.push_back(v1::OpKind_IsValid(number)
                          ? absl::AsciiStrToLower(v1::OpKind_Name(
                                static_cast<v1::OpKind>(number)))
                          : absl::StrCat("op_", bit));
  }
  return actions;
}

// What was done between `from` and `to`, a second.
std::optional<double> RateBetween(const v1::Stimulus& from,
                                  const v1::Stimulus& to) {
  const double seconds = Seconds(to.elapsed()) - Seconds(from.elapsed());
  const int64_t done = to.ended_iterations() - from.total_iterations();
  if (!(seconds > 0) || done < 0) return std::nullopt;
  return static_cast<double>(done) / seconds;
}

}  // namespace

std::vector<TimelineEntry> TimelineOf(
    const google::protobuf::RepeatedPtrField<v1::Stimulus>& stimuli) {
  std::vector<TimelineEntry> entries;
  double before = 0;  // 0: unknown, or nothing to compare with
  for (int i = 0; i < stimuli.size(); ++i) {
    if (stimuli[i].is_end()) {
      before = 0;
      continue;
    }
    TimelineEntry entry{.stimulus = &stimuli[i],
                        .actions = ActionsOf(stimuli[i])};
    if (i + 1 < stimuli.size()) {
      entry.iteration_rate = RateBetween(stimuli[i], stimuli[i + 1]);
    }
    if (entry.iteration_rate && before > 0) {
      const double change = (*entry.iteration_rate / before - 1) * 100;
      if (std::fabs(change) > kNotableChangePct) entry.change_pct = change;
    }
    before = entry.iteration_rate.value_or(0);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace ktstr::results
