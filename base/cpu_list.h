// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_CPU_LIST_H_
#define KTSTR_BASE_CPU_LIST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ktstr {

// The kernel's CPU-list text: "0-3,5,7-9"; the empty string is the empty set.
// Highest accepted number: 65535, so that a short text cannot ask for
// gigabytes.
//
// Source: lib/bitmap-str.c, bitmap_parselist().

// Sorted, without duplicates. Surrounding white space and empty items are
// accepted.
//
// Errors:
//   InvalidArgument  an item is not a number or range, a range is reversed, or
//                    a number is above the limit; the message quotes the item.
absl::StatusOr<std::vector<int>> ParseCpuList(absl::string_view text);

// Compact text of a sorted list without duplicates.
std::string FormatCpuList(absl::Span<const int> cpus);

}  // namespace ktstr

#endif  // KTSTR_BASE_CPU_LIST_H_
