// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_CATALOG_ENTRY_H_
#define KTSTR_KTSTR_CATALOG_ENTRY_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ktstr/catalog/partition.h"
#include "ktstr/checks.h"
#include "ktstr/context.h"
#include "ktstr/fixed_list.h"
#include "ktstr/verdict.h"
#include "ktstr/work.h"

namespace ktstr::catalog {

// What a machine must have for a scenario to mean anything.
struct Needs {
  int cpus = 1;
  int llcs = 1;
  int nodes = 1;

  // "needs 5 CPUs, the machine has 4"; unset when it has everything.
  std::optional<std::string> LackedBy(const GuestTopology& machine) const;
};

// A row of the catalogue: what is run where, as data. A scenario is steady (the
// cgroups exist, settle, work for the whole duration) unless it has a body.
struct Entry {
  using WorkOf = std::vector<Work> (*)(const Context& ctx);
  using Body = absl::StatusOr<Verdict> (*)(const Context& ctx,
                                           const Checks& checks);

  std::string_view name;
  // One sentence for people: what it does to a scheduler.
  std::string_view description;
  // Of the scheduler under test, where it has such flags.
  FixedList<std::string_view, 4> required_flags;
  FixedList<std::string_view, 4> excluded_flags;
  Needs needs;
  int cgroups = 2;
  Partition partition;
  // Cgroup i does entry i, or entry 0 where there is none; null is default
  // work.
  WorkOf work = nullptr;
  // In place of all three above; judges by the `checks` it is given.
  Body body = nullptr;
  // On top of the test's.
  Checks checks;
  // In place of the largest spread where the host has fewer CPUs than the guest
  // (JudgingProfile::Overcommitted) and workers of one group are unlike.
  std::optional<double> overcommitted_spread_pct = std::nullopt;
};

// The scenario here and now. A machine that lacks what it needs gives a skip
// with the reason. Errors as run() of scenario.h.
absl::StatusOr<Verdict> Play(const Context& ctx, const Entry& entry);

}  // namespace ktstr::catalog

#endif  // KTSTR_KTSTR_CATALOG_ENTRY_H_
