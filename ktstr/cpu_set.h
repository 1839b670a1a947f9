// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_CPU_SET_H_
#define KTSTR_KTSTR_CPU_SET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ktstr/topology.h"

namespace ktstr {

// Which CPUs, said without knowing the machine. Resolved against a topology
// when it is used; a set that would be empty is an error, because writing it
// would silently remove the constraint.
//
// With U the usable CPUs (GuestTopology::usable_cpus) and L their number:
//   llc(i)              every CPU of the i-th LLC
//   numa(n)             every CPU of the node with id n
//   range(a, b)         U[trunc(L*a) .. trunc(L*b))
//   disjoint(i, of)     part i of `of` equal parts; the last takes the rest
//   overlap(i, of, f)   as disjoint, reaching trunc(part*f) into its neighbours
//   exact(cpus)         as given
class CpuSet {
 public:
  static CpuSet llc(int index);
  static CpuSet numa(int node_id);
  static CpuSet range(double begin, double end);
  static CpuSet disjoint(int index, int of);
  static CpuSet overlap(int index, int of, double fraction);
  static CpuSet exact(std::vector<int> cpus);

  // Ascending, never empty.
  //
  // Errors:
  //   InvalidArgument  the spec does not fit the machine; the message names the
  //                    spec and the value.
  absl::StatusOr<std::vector<int>> Resolve(const GuestTopology& machine) const;

  // "disjoint(0, 2)".
  std::string ToString() const;

 private:
  enum class Kind { kLlc, kNuma, kRange, kDisjoint, kOverlap, kExact };

  explicit CpuSet(Kind kind) : kind_(kind) {}

  absl::StatusOr<std::vector<int>> Unchecked(
      const GuestTopology& machine) const;
  absl::Status CheckShare(int usable) const;

  Kind kind_;
  int index_ = 0;
  int of_ = 0;
  double begin_ = 0;  // also the overlap's fraction
  double end_ = 0;
  std::vector<int> cpus_;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_CPU_SET_H_
