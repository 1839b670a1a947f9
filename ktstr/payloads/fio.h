// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_PAYLOADS_FIO_H_
#define KTSTR_KTSTR_PAYLOADS_FIO_H_

#include "ktstr/payload.h"

namespace ktstr::payloads {

// Debian: fio 3.33. A test adds a job: .args({"--name=j", "--rw=randread",
// "--size=16M"}). Ended early it prints its results on SIGINT.
inline constexpr PayloadDef kFio =
    PayloadDef{"fio"}
        .json()
        .args({"--output-format=json"})
        .check(PCheck::exit_code(0))
        .stopped_by({.signal = SIGINT})
        .metric("jobs.0.read.iops", Polarity::higher_better(), "1/s")
        .metric("jobs.0.read.bw_bytes", Polarity::higher_better(), "B/s")
        .metric("jobs.0.read.clat_ns.mean", Polarity::lower_better(), "ns")
        .metric("jobs.0.read.clat_ns.percentile.99.000000",
                Polarity::lower_better(), "ns")
        .metric("jobs.0.write.iops", Polarity::higher_better(), "1/s")
        .metric("jobs.0.write.bw_bytes", Polarity::higher_better(), "B/s")
        .metric("jobs.0.write.clat_ns.mean", Polarity::lower_better(), "ns")
        .metric("jobs.0.write.clat_ns.percentile.99.000000",
                Polarity::lower_better(), "ns");

}  // namespace ktstr::payloads

#endif  // KTSTR_KTSTR_PAYLOADS_FIO_H_
