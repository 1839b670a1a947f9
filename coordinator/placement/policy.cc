// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/placement/policy.h"

#include <algorithm>

namespace ktstr::coordinator {

int CpusTaken(int variant_cpus, int host_cpus) {
  return std::min(variant_cpus, host_cpus);
}

int64_t MemoryTaken(int64_t variant_mib, int64_t host_mib) {
  return std::min(variant_mib, host_mib);
}

}  // namespace ktstr::coordinator
