// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GAUNTLET_SEED_H_
#define KTSTR_GAUNTLET_SEED_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace ktstr::gauntlet {

// Seed of a variant: a fixed function of the run's seed and the variant's name,
// so that a variant draws the same whatever else its run contains. Never zero.
// The function is part of our results and never changes.
//
// Source: FNV-1a, 64 bits, over the name, then the finalizer of SplitMix64.
uint64_t VariantSeed(uint64_t run_seed, absl::string_view variant_name);

}  // namespace ktstr::gauntlet

#endif  // KTSTR_GAUNTLET_SEED_H_
