// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_MODEL_TOPOLOGY_H_
#define KTSTR_MODEL_TOPOLOGY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr {

// Where one logical CPU sits. Every index counts from 0 over the whole machine,
// except `core` (within its LLC) and `thread` (within its core).
struct CpuPlace {
  int node = 0;
  int llc = 0;
  int core = 0;
  int thread = 0;
};

// A declared CPU topology, "NnNlNcNt": NUMA nodes, LLCs in the whole machine,
// cores per LLC, threads per core. Valid once constructed.
//
// Shape: CPUs are numbered LLC-major, then core, then thread; LLC l lies on
//        node l * nodes / llcs, so LLCs are spread as evenly as possible.
class Topology {
 public:
  // Most CPUs of one machine: the widest sched_ext and KVM limits we test.
  static constexpr int kMaxCpus = 1024;

  // One node, one LLC, one core, one thread.
  Topology() = default;

  // Errors:
  //   InvalidArgument  an axis is not positive, nodes exceed LLCs, or the CPU
  //                    total exceeds kMaxCpus; the message names the axis.
  static absl::StatusOr<Topology> Create(int nodes, int llcs, int cores,
                                         int threads);

  // From "1n2l4c2t", or "1,2,4,2" in the same order. Same errors.
  static absl::StatusOr<Topology> Parse(absl::string_view text);

  int nodes() const { return nodes_; }
  int llcs() const { return llcs_; }
  int cores_per_llc() const { return cores_; }
  int threads_per_core() const { return threads_; }
  int cpus_per_llc() const { return cores_ * threads_; }
  int cpus() const { return llcs_ * cores_ * threads_; }
  bool has_smt() const { return threads_ > 1; }

  // REQUIRES: 0 <= cpu < cpus().
  CpuPlace PlaceOf(int cpu) const;
  // REQUIRES: 0 <= llc < llcs().
  int NodeOfLlc(int llc) const;
  // Ascending. Empty for an index outside the machine.
  std::vector<int> CpusOfLlc(int llc) const;
  std::vector<int> CpusOfNode(int node) const;

  // "1n2l4c2t".
  std::string ToString() const;

  friend bool operator==(const Topology&, const Topology&) = default;

 private:
  int nodes_ = 1;
  int llcs_ = 1;
  int cores_ = 1;
  int threads_ = 1;
};

}  // namespace ktstr

#endif  // KTSTR_MODEL_TOPOLOGY_H_
