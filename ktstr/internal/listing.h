// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_LISTING_H_
#define KTSTR_KTSTR_INTERNAL_LISTING_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ktstr/test.h"

namespace ktstr::internal {

// A serialized ktstr.v1.SuiteDescription, tests sorted by name so that the same
// suite always gives the same bytes.
//
// Errors: those of CheckTests.
absl::StatusOr<std::string> DescribeSuite(
    const std::string& suite_name, absl::Span<const TestEntry* const> tests);

// Defaults of options a declaration leaves open.
std::chrono::nanoseconds DurationOf(const TestOptions& options);
int WorkersOf(const TestOptions& options);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_LISTING_H_
