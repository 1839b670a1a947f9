// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_CATALOG_PARTITION_H_
#define KTSTR_KTSTR_CATALOG_PARTITION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "ktstr/topology.h"

namespace ktstr::catalog {

// How a scenario divides the machine between its cgroups.
//
// With T all CPUs, U the usable ones (all but the last when there are more than
// two) and L = |U|:
//   none()               no cpusets
//   llc_aligned()        the first LLCs, one a cgroup, without the machine's
//                        last CPU where that leaves one
//   split_half()         U at trunc(L/2)
//   split_misaligned()   U at half of LLC 0, across the boundary between LLCs;
//                        as split_half on a machine with one LLC
//   overlap(f)           GuestTopology::wrapping_windows(cgroups, f)
//   uneven(f)            U at max(1, trunc(L*f))
//   holdback(f)          the first T - trunc(T*f) CPUs, in halves; the last
//                        ones stay free
// The splits give two sets whatever the number of cgroups.
class Partition {
 public:
  constexpr Partition() = default;

  static constexpr Partition none() { return {}; }
  static constexpr Partition llc_aligned() { return {Kind::kLlcAligned}; }
  static constexpr Partition split_half() { return {Kind::kSplitHalf}; }
  static constexpr Partition split_misaligned() {
    return {Kind::kSplitMisaligned};
  }
  static constexpr Partition overlap(double f) { return {Kind::kOverlap, f}; }
  static constexpr Partition uneven(double f) { return {Kind::kUneven, f}; }
  static constexpr Partition holdback(double f) { return {Kind::kHoldback, f}; }

  constexpr bool is_none() const { return kind_ == Kind::kNone; }
  // The sets a machine is divided into when there are `cgroups`.
  constexpr int sets(int cgroups) const {
    return is_none()                                               ? 0
           : kind_ == Kind::kLlcAligned || kind_ == Kind::kOverlap ? cgroups
                                                                   : 2;
  }

  // One ascending, non-empty set a cgroup; no set at all for none().
  //
  // Errors: FailedPrecondition when the machine cannot be divided so: a set
  //         would be empty, or there are too few LLCs; the message says which
  //         and is a reason to skip.
  absl::StatusOr<std::vector<std::vector<int>>> Resolve(
      const GuestTopology& machine, int cgroups) const;

 private:
  enum class Kind {
    kNone,
    kLlcAligned,
    kSplitHalf,
    kSplitMisaligned,
    kOverlap,
    kUneven,
    kHoldback,
  };

  constexpr Partition(Kind kind, double fraction = 0)
      : kind_(kind), fraction_(fraction) {}

  Kind kind_ = Kind::kNone;
  double fraction_ = 0;
};

}  // namespace ktstr::catalog

#endif  // KTSTR_KTSTR_CATALOG_PARTITION_H_
