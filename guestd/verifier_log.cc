// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/verifier_log.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ktstr::guestd {
namespace {

// The number behind `name` in "... NAME NUMBER ...".
absl::optional<uint32_t> NumberAfter(absl::string_view line,
                                     absl::string_view name) {
  size_t at = line.find(name);
  if (at == absl::string_view::npos) return absl::nullopt;
  absl::string_view rest = line.substr(at + name.size());
  size_t digits = 0;
  while (digits < rest.size() && absl::ascii_isdigit(rest[digits])) ++digits;
  uint32_t number;
  if (!absl::SimpleAtoi(rest.substr(0, digits), &number)) return absl::nullopt;
  return number;
}

std::vector<uint32_t> ParseDepths(absl::string_view text) {
  std::vector<uint32_t> depths;
  for (absl::string_view part : absl::StrSplit(text, '+')) {
    uint32_t depth;
    if (!absl::SimpleAtoi(part, &depth)) return {};
    if (depths.size() < VerifierStats::kMaxFrames) depths.push_back(depth);
  }
  return depths;
}

}  // namespace

VerifierStats ParseVerifierStats(absl::string_view log) {
  VerifierStats stats;
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, "verification time ")) {
      absl::optional<uint32_t> time = NumberAfter(line, "verification time ");
      if (time) stats.verification_time = absl::Microseconds(*time);
    } else if (absl::ConsumePrefix(&rest, "stack depth ")) {
      stats.stack_depths = ParseDepths(rest);
    } else if (absl::StartsWith(line, "processed ")) {
      stats.processed_insns = NumberAfter(line, "processed ");
      stats.insn_limit = NumberAfter(line, "(limit ");
      stats.max_states_per_insn = NumberAfter(line, " max_states_per_insn ");
      stats.total_states = NumberAfter(line, " total_states ");
      stats.peak_states = NumberAfter(line, " peak_states ");
    }
  }
  return stats;
}

}  // namespace ktstr::guestd
