// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_PAYLOADS_HACKBENCH_H_
#define KTSTR_KTSTR_PAYLOADS_HACKBENCH_H_

#include <string_view>
#include <vector>

#include "ktstr/payload.h"

namespace ktstr::payloads {

// The "Time: 0.013" of hackbench as "time".
//
// Source: rt-tests 2.4 (Debian 12).
std::vector<PayloadMetric> ReadHackbench(std::string_view text);

// Debian: rt-tests. A test adds how much: .args({"-g", "2", "-l", "100"}).
inline constexpr PayloadDef kHackbench =
    PayloadDef{"hackbench"}
        .text(&ReadHackbench)
        .check(PCheck::exit_code(0))
        .metric("time", Polarity::lower_better(), "s");

}  // namespace ktstr::payloads

#endif  // KTSTR_KTSTR_PAYLOADS_HACKBENCH_H_
