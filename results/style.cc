// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/style.h"

#include "proto/outcome.pb.h"

namespace ktstr::results {

Tone ToneOf(int outcome) {
  switch (outcome) {
    case v1::PASS:
      return Tone::kGood;
    case v1::FAIL:
    case v1::ERROR:
      return Tone::kBad;
    case v1::MISS:
      return Tone::kWarn;
    default:
      return Tone::kDim;
  }
}

}  // namespace ktstr::results
