// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_SEED_H_
#define KTSTR_KTSTR_INTERNAL_SEED_H_

#include <cstdint>

namespace ktstr::internal {

// A stream of numbers fixed by its seed, the same on every machine and library
// (SplitMix64). Every random choice of a run comes from one of these, forked
// off the run's seed.
class SeededStream {
 public:
  explicit SeededStream(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound) up to a bias of bound / 2^64. REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>(
        (static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

  // The seed of an independent stream; `which` names it.
  uint64_t Fork(uint64_t which) const {
    return SeededStream(state_ ^ (which * 0xd1342543de82ef95u + 1)).Next();
  }

 private:
  uint64_t state_;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_SEED_H_
