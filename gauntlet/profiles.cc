// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/profiles.h"

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace ktstr::gauntlet {
namespace {

constexpr size_t kMaxFlags = 64;

uint64_t Bit(size_t index) { return uint64_t{1} << index; }

// A scheduler's flags with sets as bit masks, bit i = flag declared i-th.
struct FlagTable {
  absl::Span<const Flag> flags;
  absl::flat_hash_map<std::string, size_t> index;
  std::vector<uint64_t> needs;  // direct
  uint64_t required = 0;
  uint64_t excluded = 0;
};

absl::StatusOr<uint64_t> MaskOf(const FlagTable& table,
                                absl::Span<const std::string> names,
                                absl::string_view where) {
  uint64_t mask = 0;
  for (const std::string& name : names) {
    auto it = table.index.find(name);
    if (it == table.index.end()) {
      std::vector<std::string> declared;
      for (const Flag& flag : table.flags) declared.push_back(flag.name);
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown flag \"", name, "\" in ", where, "; the scheduler declares ",
          declared.empty() ? "no flags" : absl::StrJoin(declared, ", ")));
    }
    mask |= Bit(it->second);
  }
  return mask;
}

uint64_t Closure(const FlagTable& table, uint64_t set) {
  for (uint64_t before = 0; before != set;) {
    before = set;
    for (size_t i = 0; i < table.flags.size(); ++i) {
      if (set & Bit(i)) set |= table.needs[i];
    }
  }
  return set;
}

absl::Status CheckContradictions(const FlagTable& table) {
  for (size_t i = 0; i < table.flags.size(); ++i) {
    if (!(table.required & Bit(i))) continue;
    if (table.excluded & Bit(i)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "flag \"", table.flags[i].name, "\" is both required and excluded"));
    }
    uint64_t clash = Closure(table, Bit(i)) & table.excluded;
    for (size_t j = 0; j < table.flags.size(); ++j) {
      if (clash & Bit(j)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "required flag \"", table.flags[i].name, "\" needs flag \"",
            table.flags[j].name, "\", which is excluded"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FlagTable> BuildTable(absl::Span<const Flag> flags,
                                     const FlagChoice& choice) {
  if (flags.size() > kMaxFlags) {
    return absl::InvalidArgumentError(
        absl::StrCat("a scheduler declares ", flags.size(),
                     " flags, accepted are at most ", kMaxFlags));
  }
  FlagTable table;
  table.flags = flags;
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i].name.empty()) {
      return absl::InvalidArgumentError("a scheduler flag has no name");
    }
    if (!table.index.emplace(flags[i].name, i).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("flag \"", flags[i].name, "\" is declared twice"));
    }
  }
  for (const Flag& flag : flags) {
    ABSL_ASSIGN_OR_RETURN(
        uint64_t needs,
        MaskOf(table, flag.requires_flags,
               absl::StrCat("what flag \"", flag.name, "\" requires")));
    table.needs.push_back(needs);
  }
  ABSL_ASSIGN_OR_RETURN(table.required,
                        MaskOf(table, choice.required, "required_flags"));
  ABSL_ASSIGN_OR_RETURN(table.excluded,
                        MaskOf(table, choice.excluded, "excluded_flags"));
  ABSL_RETURN_IF_ERROR(CheckContradictions(table));
  return table;
}

bool NeedsAreMet(const FlagTable& table, uint64_t set) {
  for (size_t i = 0; i < table.flags.size(); ++i) {
    if ((set & Bit(i)) && (table.needs[i] & ~set)) return false;
  }
  return true;
}

Profile MakeProfile(const FlagTable& table, uint64_t set) {
  Profile profile;
  for (size_t i = 0; i < table.flags.size(); ++i) {
    if (!(set & Bit(i))) continue;
    const Flag& flag = table.flags[i];
    profile.flags.push_back(flag.name);
    profile.args.insert(profile.args.end(), flag.args.begin(), flag.args.end());
  }
  profile.name =
      profile.flags.empty() ? "default" : absl::StrJoin(profile.flags, "+");
  return profile;
}

}  // namespace

absl::StatusOr<std::vector<Profile>> AllProfiles(absl::Span<const Flag> flags,
                                                 const FlagChoice& choice) {
  ABSL_ASSIGN_OR_RETURN(FlagTable table, BuildTable(flags, choice));
  std::vector<uint64_t> optional;
  for (size_t i = 0; i < flags.size(); ++i) {
    if (!((table.required | table.excluded) & Bit(i))) {
      optional.push_back(Bit(i));
    }
  }
  if (optional.size() > kMaxOptionalFlags) {
    return absl::InvalidArgumentError(
        absl::StrCat(optional.size(), " optional flags, accepted are at most ",
                     kMaxOptionalFlags));
  }
  std::vector<Profile> profiles;
  for (uint64_t choice_bits = 0; choice_bits < Bit(optional.size());
       ++choice_bits) {
    uint64_t set = table.required;
    for (size_t i = 0; i < optional.size(); ++i) {
      if (choice_bits & Bit(i)) set |= optional[i];
    }
    if (!NeedsAreMet(table, set)) continue;
    if (profiles.size() == kMaxProfiles) {
      return absl::InvalidArgumentError(
          absl::StrCat("more than ", kMaxProfiles,
                       " flag profiles; exclude some flags of the test"));
    }
    profiles.push_back(MakeProfile(table, set));
  }
  return profiles;
}

absl::StatusOr<Profile> BaseProfile(absl::Span<const Flag> flags,
                                    const FlagChoice& choice) {
  ABSL_ASSIGN_OR_RETURN(FlagTable table, BuildTable(flags, choice));
  return MakeProfile(table, Closure(table, table.required));
}

}  // namespace ktstr::gauntlet
