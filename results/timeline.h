// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_TIMELINE_H_
#define KTSTR_RESULTS_TIMELINE_H_

#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/repeated_ptr_field.h"

namespace ktstr::v1 {
class Stimulus;
}  // namespace ktstr::v1

namespace ktstr::results {

// A step of a scenario, or a pass of one that loops, and what came of it.
struct TimelineEntry {
  // Of the list it was made from.
  const v1::Stimulus* stimulus = nullptr;
  // What began it: "set_cpuset", "freeze"; each kind once.
  std::vector<std::string> actions;
  // Iterations a second of all workers together, until the next entry or the
  // end of the scenario. Absent when workers went away meanwhile, and for the
  // last of a scenario that was cut short.
  std::optional<double> iteration_rate;
  // Against the entry before, in percent of that; only where it is more than
  // kNotableChangePct.
  std::optional<double> change_pct;
};

inline constexpr double kNotableChangePct = 30;

// One entry a stimulus, in order, but for those that are the end of a scenario.
std::vector<TimelineEntry> TimelineOf(
    const google::protobuf::RepeatedPtrField<v1::Stimulus>& stimuli);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_TIMELINE_H_
