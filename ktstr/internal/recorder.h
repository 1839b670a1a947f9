// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_RECORDER_H_
#define KTSTR_KTSTR_INTERNAL_RECORDER_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "ktstr/measurement.h"
#include "ktstr/verdict.h"

namespace ktstr::internal {

// What a test body records, until its verdict takes it.
//
// Shape: at most kMax, no two of one name; a name is 1 to 128 of the characters
//        a-z A-Z 0-9 _ . / -, a unit at most 32 printable ASCII characters;
//        values and targets are finite.
class Recorder {
 public:
  static constexpr size_t kMax = 256;

  // What breaks these rules is left out, and said by AddTo().
  void Add(Measurement measurement);

  // Moves everything into `verdict`, with a finding of kind kTestBodyError for
  // the first that was left out.
  void AddTo(Verdict& verdict);

 private:
  std::vector<Measurement> kept_;
  absl::Status first_problem_;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_RECORDER_H_
