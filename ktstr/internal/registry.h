// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_REGISTRY_H_
#define KTSTR_KTSTR_INTERNAL_REGISTRY_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "ktstr/test.h"

namespace ktstr::internal {

// Every test linked into this program, in link order.
absl::Span<const TestEntry* const> LinkedTests();

// Null when there is none of that name.
const TestEntry* FindTest(absl::Span<const TestEntry* const> tests,
                          std::string_view name);

// The rules of a declaration on resolved values, for every entry; a suite that
// breaks one neither lists nor runs.
//
// Errors: InvalidArgument naming the test, the rule and the value.
absl::Status CheckTests(absl::Span<const TestEntry* const> tests);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_REGISTRY_H_
