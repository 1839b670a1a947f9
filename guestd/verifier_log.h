// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_VERIFIER_LOG_H_
#define KTSTR_GUESTD_VERIFIER_LOG_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace ktstr::guestd {

// What the BPF verifier says about its own work on one program.
struct VerifierStats {
  // Most frames whose stack depth is kept.
  static constexpr size_t kMaxFrames = 512;

  absl::optional<uint32_t> processed_insns;
  absl::optional<uint32_t> insn_limit;
  absl::optional<uint32_t> max_states_per_insn;
  absl::optional<uint32_t> total_states;
  absl::optional<uint32_t> peak_states;
  absl::optional<absl::Duration> verification_time;
  // Bytes of each function's frame, the program itself first.
  std::vector<uint32_t> stack_depths;
};

// The figures in a verifier log; of a figure that stands in it several times
// the last. What is missing or malformed stays empty.
//
// Source: print_verification_stats() in kernel/bpf/verifier.c of Linux 6.12.
// Trust:  the text may be anything.
VerifierStats ParseVerifierStats(absl::string_view log);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_VERIFIER_LOG_H_
