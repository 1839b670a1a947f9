// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Propagation macros with upstream Abseil's spelling, which the pinned release
// (20220623) does not have yet.
#ifndef KTSTR_BASE_STATUS_MACROS_H_
#define KTSTR_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

// Returns from the enclosing function when `expr` is a status that is not OK.
#define ABSL_RETURN_IF_ERROR(expr)                              \
  do {                                                          \
    if (absl::Status ktstr_status = (expr); !ktstr_status.ok()) \
      return ktstr_status;                                      \
  } while (false)

#define KTSTR_STATUS_CONCAT_INNER(a, b) a##b
#define KTSTR_STATUS_CONCAT(a, b) KTSTR_STATUS_CONCAT_INNER(a, b)

// Assigns the value of a StatusOr expression to `lhs` (which may declare a
// variable), or returns its status from the enclosing function.
#define ABSL_ASSIGN_OR_RETURN(lhs, expr)                                     \
  KTSTR_ASSIGN_OR_RETURN_IMPL(KTSTR_STATUS_CONCAT(ktstr_or_, __LINE__), lhs, \
                              expr)
#define KTSTR_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return std::move(tmp).status();    \
  lhs = std::move(tmp).value()

namespace ktstr {

// The same code with `context` in front of the message, as "context: message".
// OK stays OK.
inline absl::Status Annotate(const absl::Status& status,
                             absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(context, ": ", status.message()));
}

}  // namespace ktstr

#endif  // KTSTR_BASE_STATUS_MACROS_H_
