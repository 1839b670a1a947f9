// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/payload_result.h"

namespace ktstr {

std::optional<double> PayloadResult::metric(std::string_view name) const {
  for (const PayloadMetric& metric : metrics) {
    if (metric.name == name) return metric.value;
  }
  return std::nullopt;
}

}  // namespace ktstr
