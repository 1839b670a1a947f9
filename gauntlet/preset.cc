// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/preset.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gauntlet/close_names.h"

namespace ktstr::gauntlet {
namespace {

struct Row {
  const char* name;
  int nodes, llcs, cores, threads;
};

constexpr Row kRows[] = {
    {"tiny-1llc", 1, 1, 4, 1},         {"tiny-2llc", 1, 2, 2, 1},
    {"odd-3llc", 1, 3, 3, 1},          {"odd-5llc", 1, 5, 3, 1},
    {"odd-7llc", 1, 7, 2, 1},          {"smt-2llc", 1, 2, 2, 2},
    {"smt-3llc", 1, 3, 2, 2},          {"medium-4llc", 1, 4, 4, 2},
    {"medium-8llc", 1, 8, 4, 2},       {"large-4llc", 1, 4, 16, 2},
    {"large-8llc", 1, 8, 8, 2},        {"near-max-llc", 1, 15, 8, 2},
    {"max-cpu", 1, 14, 9, 2},          {"medium-4llc-nosmt", 1, 4, 8, 1},
    {"medium-8llc-nosmt", 1, 8, 8, 1}, {"large-4llc-nosmt", 1, 4, 32, 1},
    {"large-8llc-nosmt", 1, 8, 16, 1}, {"near-max-llc-nosmt", 1, 15, 16, 1},
    {"max-cpu-nosmt", 1, 14, 18, 1},   {"numa2-4llc", 2, 4, 4, 1},
    {"numa2-8llc", 2, 8, 8, 2},        {"numa2-8llc-nosmt", 2, 8, 16, 1},
    {"numa4-8llc", 4, 8, 4, 1},        {"numa4-12llc", 4, 12, 8, 2},
};

std::vector<Preset>* BuildPresets() {
  auto* presets = new std::vector<Preset>;
  for (const Row& row : kRows) {
    presets->push_back(
        {row.name, Topology::Create(row.nodes, row.llcs, row.cores, row.threads)
                       .value()});
  }
  return presets;
}

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const Preset& preset : AllPresets()) names.push_back(preset.name);
  return names;
}

}  // namespace

absl::Span<const Preset> AllPresets() {
  static const std::vector<Preset>* const presets = BuildPresets();
  return *presets;
}

absl::StatusOr<std::vector<Preset>> FindPresets(
    absl::Span<const std::string> names) {
  std::vector<Preset> found;
  for (const std::string& name : names) {
    auto has_name = [&name](const Preset& preset) {
      return preset.name == name;
    };
    if (std::any_of(found.begin(), found.end(), has_name)) continue;
    auto all = AllPresets();
    auto it = std::find_if(all.begin(), all.end(), has_name);
    if (it == all.end()) {
      std::vector<std::string> accepted = PresetNames();
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown preset \"", name, "\"", DidYouMean(name, accepted),
          "; accepted are ", absl::StrJoin(accepted, ", ")));
    }
    found.push_back(*it);
  }
  return found;
}

}  // namespace ktstr::gauntlet
