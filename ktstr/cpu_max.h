// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_CPU_MAX_H_
#define KTSTR_KTSTR_CPU_MAX_H_

#include <chrono>
#include <optional>

namespace ktstr {

// What a cgroup may use of the CPUs: `quota` in every `period`, all CPUs
// together. Without a quota as much as there is.
//
// Shape:  quota 1 ms or more, period 1 ms to 1 s.
// Source: cpu.max, Documentation/admin-guide/cgroup-v2.rst.
struct CpuMax {
  std::optional<std::chrono::microseconds> quota;
  std::chrono::microseconds period = std::chrono::milliseconds(100);

  friend bool operator==(const CpuMax&, const CpuMax&) = default;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_CPU_MAX_H_
