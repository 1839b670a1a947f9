// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "ktstr/internal/payload_log.h"
#include "ktstr/internal/payload_plan.h"

// What a program prints becomes readable text, at most so many finite numbers
// with names, a verdict of each check, and records with names that may be.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  static const auto* const def =
      new std::shared_ptr<const PayloadDef>(std::make_shared<const PayloadDef>(
          PayloadDef{"fuzzed"}.json().metric("a").check(
              PCheck::range("a", 0, 1))));
  internal::PayloadPlan plan(*def);
  internal::PayloadEnding ending;
  ending.out.assign(reinterpret_cast<const char*>(data), size);
  const PayloadResult result = internal::Conclude(plan, std::move(ending));
  if (result.metrics.size() > 16384) __builtin_trap();
  for (const PayloadMetric& metric : result.metrics) {
    if (!std::isfinite(metric.value)) __builtin_trap();
    if (metric.name.size() > 256) __builtin_trap();
  }
  const std::optional<double> a = result.metric("a");
  const bool holds = a.has_value() && *a >= 0 && *a <= 1;
  if (holds != result.passed()) __builtin_trap();
  // What is readable once stays as it is.
  internal::PayloadEnding again;
  again.out = result.out;
  if (internal::Conclude(plan, std::move(again)).out != result.out) {
    __builtin_trap();
  }
  return 0;
}
