// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_MEMORY_POLICY_H_
#define KTSTR_KTSTR_MEMORY_POLICY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ktstr {

// Mode flags of set_mempolicy(2); they combine with |.
class MemFlags {
 public:
  constexpr MemFlags() = default;
  explicit constexpr MemFlags(uint32_t bits) : bits_(bits) {}

  static constexpr MemFlags none() { return {}; }
  // Nodes are meant by their ids, whatever the cpuset.
  static constexpr MemFlags static_nodes() { return MemFlags(1u << 15); }
  // Nodes count from the first one the cpuset allows.
  static constexpr MemFlags relative_nodes() { return MemFlags(1u << 14); }
  static constexpr MemFlags numa_balancing() { return MemFlags(1u << 13); }

  friend constexpr MemFlags operator|(MemFlags a, MemFlags b) {
    return MemFlags(a.bits_ | b.bits_);
  }
  // True for none(), always.
  constexpr bool contains(MemFlags all) const {
    return (bits_ & all.bits_) == all.bits_;
  }
  constexpr uint32_t bits() const { return bits_; }

 private:
  uint32_t bits_ = 0;
};

// From which NUMA nodes a worker's memory is taken. A policy that the kernel
// refuses fails the test.
//
// In a cgroup with a cpuset every node must be one of the cpuset's CPUs; say
// static_nodes() where memory from elsewhere is what the test is about.
//
//   Work{}.memory(MemPolicy::bind({0, 1}))
//   Work{}.memory(MemPolicy::preferred(2).with(MemFlags::static_nodes()))
struct MemPolicy {
  enum class Kind {
    kDefault,
    kLocal,
    kBind,
    kPreferred,
    kInterleave,
    kPreferredMany,
    kWeightedInterleave,
  };

  // No call: what the worker inherits.
  static MemPolicy unchanged() { return {}; }
  // The node of the CPU that touches a page first.
  static MemPolicy local() { return {.kind = Kind::kLocal}; }
  static MemPolicy bind(std::vector<int> nodes);
  static MemPolicy preferred(int node);
  static MemPolicy interleave(std::vector<int> nodes);
  // Linux 5.15 or newer.
  static MemPolicy preferred_many(std::vector<int> nodes);
  // Linux 6.9 or newer.
  static MemPolicy weighted_interleave(std::vector<int> nodes);

  MemPolicy with(MemFlags more) const;

  // InvalidArgument: a policy of nodes without any, a node that is no number of
  // one (0 to 1023), unknown flags, static together with relative nodes.
  absl::Status Validate() const;

  // "bind(0-1)", "interleave(0,2)|static_nodes".
  std::string ToString() const;

  Kind kind = Kind::kDefault;
  std::vector<int> nodes;  // as given
  MemFlags flags;

  static constexpr int kMaxNodes = 1024;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_MEMORY_POLICY_H_
