// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// GoogleTest matchers for absl::Status and absl::StatusOr, with upstream
// Abseil's spelling.
#ifndef KTSTR_BASE_STATUS_MATCHERS_H_
#define KTSTR_BASE_STATUS_MATCHERS_H_

#include <ostream>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace absl_testing {

inline const absl::Status& GetStatus(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& GetStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << GetStatus(arg).ToString();
  return GetStatus(arg).ok();
}

MATCHER_P(StatusIs, code, "has status code " + absl::StatusCodeToString(code)) {
  *result_listener << GetStatus(arg).ToString();
  return GetStatus(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message_matcher,
           "has status code " + absl::StatusCodeToString(code) +
               " and a matching message") {
  *result_listener << GetStatus(arg).ToString();
  return GetStatus(arg).code() == code &&
         ::testing::ExplainMatchResult(message_matcher,
                                       std::string(GetStatus(arg).message()),
                                       result_listener);
}

MATCHER_P(IsOkAndHolds, value_matcher, "is OK and holds a matching value") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(value_matcher, *arg, result_listener);
}

}  // namespace absl_testing

// Declares `lhs` from a StatusOr expression, or fails the test with its status.
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  KTSTR_ASSERT_ASSIGN_IMPL(KTSTR_ASSERT_CONCAT(ktstr_or_, __LINE__), lhs, expr)
#define KTSTR_ASSERT_CONCAT_INNER(a, b) a##b
#define KTSTR_ASSERT_CONCAT(a, b) KTSTR_ASSERT_CONCAT_INNER(a, b)
#define KTSTR_ASSERT_ASSIGN_IMPL(tmp, lhs, expr)    \
  auto tmp = (expr);                                \
  ASSERT_TRUE(tmp.ok()) << tmp.status().ToString(); \
  lhs = std::move(tmp).value()

#define EXPECT_OK(expr) EXPECT_THAT((expr), ::absl_testing::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT((expr), ::absl_testing::IsOk())

#endif  // KTSTR_BASE_STATUS_MATCHERS_H_
