// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_LENIENCY_H_
#define KTSTR_RESULTS_LENIENCY_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace ktstr::v1 {
class Variant;
}  // namespace ktstr::v1

namespace ktstr::results {

// Which failures of a run do not fail it, because their tests say so:
//
//   quarantined  FAIL and ERROR, up to and including the last day of the
//                quarantine
//   repeated     FAIL, when as many of the variant's runs passed as must (of
//                the runs that there are, where a filter left some out)
//
// They stay what they are in tables, reports and files; nothing else is
// forgiven.
//
// `variants` outlive the object.
class Leniency {
 public:
  Leniency(const std::vector<const v1::Variant*>& variants, absl::Time now);

  // Why the failure of `variant` is forgiven; empty when it counts, or when
  // there is none.
  std::string WhyForgiven(const v1::Variant& variant) const;
  // FAIL and ERROR that count.
  int failures() const { return failures_; }
  int forgiven() const { return forgiven_; }

  // One line for each failure that is forgiven, and for each that counts again
  // because its quarantine is over; in the order of the variants.
  std::vector<std::string> Notes() const;

 private:
  // Runs of one repeated variant.
  struct Runs {
    int all = 0;
    int passed = 0;
  };

  bool IsQuarantined(const v1::Variant& variant) const;

  const std::vector<const v1::Variant*> variants_;
  const std::string today_;  // "2027-01-31", UTC
  std::map<std::string, Runs> runs_;
  int failures_ = 0;
  int forgiven_ = 0;
};

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_LENIENCY_H_
