// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_REPORT_CODEC_H_
#define KTSTR_KTSTR_INTERNAL_REPORT_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ktstr/worker_report.h"

namespace ktstr::internal {

// What a worker writes to its report pipe: a version byte, then every field as
// a variable-length number, latencies sorted and as differences. 100,000
// latencies take about 200 KB.
std::string EncodeWorkerReport(WorkerReport report);

// Trust: the worker may have died while writing, or run somebody's code; no
//        count is believed beyond the bytes that follow it.
// Errors: InvalidArgument for anything but one whole report.
absl::StatusOr<WorkerReport> DecodeWorkerReport(absl::string_view bytes);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_REPORT_CODEC_H_
