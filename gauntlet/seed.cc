// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/seed.h"

namespace ktstr::gauntlet {
namespace {

constexpr uint64_t kFnvOffset = 0xcbf29ce484222325;
constexpr uint64_t kFnvPrime = 0x100000001b3;

uint64_t Finalize(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

uint64_t VariantSeed(uint64_t run_seed, absl::string_view variant_name) {
  uint64_t hash = kFnvOffset;
  for (char c : variant_name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  }
  uint64_t seed = Finalize(Finalize(run_seed) ^ hash);
  return seed == 0 ? 1 : seed;
}

}  // namespace ktstr::gauntlet
