// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GAUNTLET_PROFILES_H_
#define KTSTR_GAUNTLET_PROFILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace ktstr::gauntlet {

// One switch of a scheduler.
struct Flag {
  std::string name;
  // Passed to the scheduler when active.
  std::vector<std::string> args;
  // Names of flags of the same scheduler that must be active with it.
  std::vector<std::string> requires_flags;
};

// A set of active flags.
struct Profile {
  // Members joined by '+', or "default".
  std::string name;
  // In declaration order.
  std::vector<std::string> flags;
  // Arguments of all members, in the same order.
  std::vector<std::string> args;
};

// What a test says about the flags of its scheduler.
struct FlagChoice {
  std::vector<std::string> required;
  std::vector<std::string> excluded;
};

// Most flags a test may leave open, and most profiles one test may have.
inline constexpr int kMaxOptionalFlags = 31;
inline constexpr int kMaxProfiles = 100000;

// Every valid profile: the required flags united with each subset of the
// optional ones (declared, neither required nor excluded) in which every
// member's needs are met. Never empty.
//
// Shape: ordered by subset, read as a binary number whose lowest bit is the
//        optional flag declared first.
// Errors:
//   InvalidArgument  a name that is not declared (the message lists those that
//                    are), declared twice, both required and excluded, or a
//                    required flag that needs, directly or through others, an
//                    excluded one; too many optional flags or profiles.
absl::StatusOr<std::vector<Profile>> AllProfiles(absl::Span<const Flag> flags,
                                                 const FlagChoice& choice);

// The profile of a base run: the required flags and everything they need,
// nothing else. Same errors.
absl::StatusOr<Profile> BaseProfile(absl::Span<const Flag> flags,
                                    const FlagChoice& choice);

}  // namespace ktstr::gauntlet

#endif  // KTSTR_GAUNTLET_PROFILES_H_
