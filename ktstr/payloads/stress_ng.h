// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_PAYLOADS_STRESS_NG_H_
#define KTSTR_KTSTR_PAYLOADS_STRESS_NG_H_

#include <string_view>
#include <vector>

#include "ktstr/payload.h"

namespace ktstr::payloads {

// The table of stress-ng's --metrics-brief, a stressor a line: "cpu.bogo_ops",
// "cpu.real_s", "cpu.user_s", "cpu.system_s", "cpu.bogo_ops_per_s" (of real
// time), "cpu.bogo_ops_per_cpu_s" (of user and system time).
//
// Source: stress-ng 0.15.06 (Debian 12); columns behind these are skipped.
std::vector<PayloadMetric> ReadStressNg(std::string_view text);

// Debian: stress-ng. A test adds stressors and a time: .args({"--cpu", "2",
// "--timeout", "5"}).
inline constexpr PayloadDef kStressNg = PayloadDef{"stress-ng"}
                                            .text(&ReadStressNg)
                                            .args({"--metrics-brief"})
                                            .check(PCheck::exit_code(0));

}  // namespace ktstr::payloads

#endif  // KTSTR_KTSTR_PAYLOADS_STRESS_NG_H_
