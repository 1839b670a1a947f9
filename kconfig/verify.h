// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KCONFIG_VERIFY_H_
#define KTSTR_KCONFIG_VERIFY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "kconfig/parse.h"

namespace ktstr::kconfig {

// What somebody wants to do with a kernel.
enum class Requirement {
  kUnspecified = 0,
  kBoot,      // start in our machine and run init from the initramfs
  kChannel,   // talk to the host (vsock); modules count
  kTopology,  // see the declared CPUs, caches and nodes
  kCgroups,   // run scenarios in cgroups
  kSchedExt,  // attach a sched_ext scheduler
  kTracing,   // probes, dump events
  kMonitor,   // read scheduler statistics and types from outside
};

// All of them, what everything else needs first.
absl::Span<const Requirement> AllRequirements();

// "sched_ext", "cgroups", ...
absl::string_view RequirementName(Requirement requirement);

// One option that is not as needed, and what is lost without it.
struct MissingOption {
  std::string option;   // without CONFIG_
  std::string wanted;   // "y", "m or y", "n", "256"
  std::string actual;   // "n" when absent
  std::string feature;  // "sched_ext schedulers cannot attach"

  // "CONFIG_SCHED_CLASS_EXT is n, needs y: sched_ext schedulers cannot
  // attach".
  std::string ToString() const;
};

// The options of `requirement` that `config` lacks, in the table's order.
std::vector<MissingOption> MissingFor(Requirement requirement,
                                      const Kconfig& config);

// Every option of `requested` that did not survive in `actual` (olddefconfig
// drops what has unmet dependencies without a word). `feature` is filled from
// the table of requirements where it knows the option.
std::vector<MissingOption> Verify(const Kconfig& requested,
                                  const Kconfig& actual);

// OK when empty; else FailedPrecondition "SUBJECT: n options are missing: ..."
// with one clause an option.
absl::Status ToStatus(absl::string_view subject,
                      absl::Span<const MissingOption> missing);

}  // namespace ktstr::kconfig

#endif  // KTSTR_KCONFIG_VERIFY_H_
