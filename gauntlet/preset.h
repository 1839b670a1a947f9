// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GAUNTLET_PRESET_H_
#define KTSTR_GAUNTLET_PRESET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/topology.h"

namespace ktstr::gauntlet {

// A named topology that tests are expanded over.
struct Preset {
  std::string name;
  Topology topology;
};

// All presets, in the order in which variants are listed. 24 of them.
absl::Span<const Preset> AllPresets();

// The presets of these names, in the order given, a repeated name once.
//
// Errors:
//   InvalidArgument  an unknown name; the message quotes it, proposes close
//                    ones and lists what is accepted.
absl::StatusOr<std::vector<Preset>> FindPresets(
    absl::Span<const std::string> names);

}  // namespace ktstr::gauntlet

#endif  // KTSTR_GAUNTLET_PRESET_H_
