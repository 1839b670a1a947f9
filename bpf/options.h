// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BPF_OPTIONS_H_
#define KTSTR_BPF_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace ktstr::bpf {

// What scx_fixture does instead of scheduling well.
enum class Misbehavior {
  kNone = 0,
  // At load: the kernel refuses the programs.
  kRejectLoad,
  kVerifierLoop,
  // Once attached, from `after` on.
  kStallOne,
  kStallAll,
  kDrop,
  kCrash,
  kOneCpu,
  kIgnoreAffinity,
  kIgnoreCpuset,
  kUnfair,
};

// What a command line asks for.
struct Options {
  // Not empty: print this on standard output and do nothing else (--help,
  // --ktstr-list-flags).
  std::string to_print;

  // A queue for each last-level cache instead of one for all CPUs.
  bool has_queue_per_llc = false;
  // A CPU without work looks into the queues of other caches.
  bool may_steal = false;
  // For one turn on a CPU.
  absl::Duration slice = absl::Milliseconds(20);
  // The kernel ends the scheduler when a task that could run has not run for
  // this long.
  absl::Duration watchdog = absl::Seconds(30);
  // Detach and exit after this long; infinite: when a signal says so.
  absl::Duration exit_after = absl::InfiniteDuration();
  // Everything that libbpf has to say.
  bool is_verbose = false;

  Misbehavior misbehavior = Misbehavior::kNone;
  // Since the kernel reported the scheduler attached.
  absl::Duration after = absl::ZeroDuration();
  // kStallOne: a pid, or, when 0, a prefix of a task's name.
  int chosen_pid = 0;
  std::string chosen_name;
  // kDrop: of this many tasks one; kOneCpu: the CPU.
  uint32_t argument = 0;
};

// Parses argv[1..].
//
// Errors:
//   InvalidArgument  one sentence: which option, what is wrong, what is
//                    accepted.
absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& args);

// The flags that a test may turn on and off, as a JSON array of objects with
// "name", "args" and "requires" (names of other flags), one line.
std::string FlagsAsJson();

}  // namespace ktstr::bpf

#endif  // KTSTR_BPF_OPTIONS_H_
