// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_MEASUREMENT_H_
#define KTSTR_KTSTR_MEASUREMENT_H_

#include <string>

namespace ktstr {

// Which way a number is better; for comparing runs, never for a verdict.
struct Polarity {
  // As in ktstr.v1.Polarity.
  enum class Kind {
    kUnknown = 0,
    kHigherBetter = 1,
    kLowerBetter = 2,
    kTarget = 3,
  };

  static constexpr Polarity unknown() { return {}; }
  static constexpr Polarity higher_better() { return {Kind::kHigherBetter}; }
  static constexpr Polarity lower_better() { return {Kind::kLowerBetter}; }
  // The closer to `value`, the better.
  static constexpr Polarity target(double value) {
    return {Kind::kTarget, value};
  }

  Kind kind = Kind::kUnknown;
  double target_value = 0;
};

// A number of the test's own.
struct Measurement {
  std::string name;
  double value = 0;
  std::string unit;
  Polarity polarity;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_MEASUREMENT_H_
