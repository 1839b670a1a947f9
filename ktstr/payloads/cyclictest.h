// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_PAYLOADS_CYCLICTEST_H_
#define KTSTR_KTSTR_PAYLOADS_CYCLICTEST_H_

#include <string_view>
#include <vector>

#include "ktstr/payload.h"

namespace ktstr::payloads {

// The line that cyclictest --quiet prints for each thread: "thread.0.cycles",
// ".min", ".avg" and ".max" in microseconds, and "max" over all; threads that
// never woke up are left out.
//
// Source: rt-tests 2.4 (Debian 12). Not its --json: that says "-nan", which is
// no JSON, for such a thread.
std::vector<PayloadMetric> ReadCyclictest(std::string_view text);

// Debian: rt-tests. A test adds threads and a length: .args({"-t", "2", "-l",
// "1000"}).
inline constexpr PayloadDef kCyclictest =
    PayloadDef{"cyclictest"}
        .text(&ReadCyclictest)
        .args({"--quiet"})
        .check(PCheck::exit_code(0))
        .metric("max", Polarity::lower_better(), "us");

}  // namespace ktstr::payloads

#endif  // KTSTR_KTSTR_PAYLOADS_CYCLICTEST_H_
