// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/worker_sample.h"

namespace ktstr::internal {
namespace {

uint64_t Less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

std::optional<uint64_t> Less(const std::optional<uint64_t>& a,
                             const std::optional<uint64_t>& b) {
  if (!a) return std::nullopt;
  return Less(*a, b.value_or(0));
}

}  // namespace

WorkerSample WorkerSample::Since(const WorkerSample& earlier) const {
  WorkerSample delta{.pid = pid,
                     .iterations = Less(iterations, earlier.iterations),
                     .work_units = Less(work_units, earlier.work_units),
                     .cpu_ns = Less(cpu_ns, earlier.cpu_ns),
                     .run_delay_ns = Less(run_delay_ns, earlier.run_delay_ns)};
  for (const auto& [bucket, count] : wakes) {
    auto before = earlier.wakes.find(bucket);
    uint64_t seen =
        Less(count, before == earlier.wakes.end() ? 0 : before->second);
    if (seen > 0) delta.wakes[bucket] = seen;
  }
  return delta;
}

}  // namespace ktstr::internal
