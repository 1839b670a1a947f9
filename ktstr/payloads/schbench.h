// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_PAYLOADS_SCHBENCH_H_
#define KTSTR_KTSTR_PAYLOADS_SCHBENCH_H_

#include <string_view>
#include <vector>

#include "ktstr/payload.h"

namespace ktstr::payloads {

// The last table of each kind that schbench printed (it repeats them while it
// runs): "wakeup.p99", "request.p50", "rps.p50", each with ".min" and ".max",
// and "average_rps".
//
// Source: masoncl/schbench 1.0 (2023), show_latencies(); on standard error.
std::vector<PayloadMetric> ReadSchbench(std::string_view text);

// Not packaged: "./schbench", found from the working directory or beside the
// suite. A test adds -m, -t, -r: .args({"-r", "5"}).
inline constexpr PayloadDef kSchbench =
    PayloadDef{"schbench"}
        .text(&ReadSchbench)
        .check(PCheck::exit_code(0))
        .metric("wakeup.p50", Polarity::lower_better(), "us")
        .metric("wakeup.p99", Polarity::lower_better(), "us")
        .metric("wakeup.p99.9", Polarity::lower_better(), "us")
        .metric("request.p50", Polarity::lower_better(), "us")
        .metric("request.p99", Polarity::lower_better(), "us")
        .metric("rps.p50", Polarity::higher_better(), "1/s")
        .metric("average_rps", Polarity::higher_better(), "1/s");

}  // namespace ktstr::payloads

#endif  // KTSTR_KTSTR_PAYLOADS_SCHBENCH_H_
