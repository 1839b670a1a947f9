// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Reading the values of a machine description: a wrong type or range is one
// sentence that names the key and what is accepted.
#ifndef KTSTR_MODEL_JSON_FIELDS_H_
#define KTSTR_MODEL_JSON_FIELDS_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace ktstr {

inline absl::Status BadKey(absl::string_view key, absl::string_view accepted) {
  return absl::InvalidArgumentError(
      absl::StrCat("machine description: \"", key, "\" must be ", accepted));
}

inline absl::Status UnknownKey(absl::string_view key) {
  return absl::InvalidArgumentError(
      absl::StrCat("machine description: unknown key \"", key, "\""));
}

inline absl::StatusOr<int64_t> IntegerIn(absl::string_view key,
                                         const nlohmann::json& value,
                                         int64_t low, int64_t high) {
  bool fits =
      value.is_number_integer() &&
      !(value.is_number_unsigned() &&
        value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()});
  if (!fits || value.get<int64_t>() < low || value.get<int64_t>() > high) {
    return BadKey(key, absl::StrCat("an integer from ", low, " to ", high));
  }
  return value.get<int64_t>();
}

inline absl::StatusOr<std::string> Text(absl::string_view key,
                                        const nlohmann::json& value) {
  if (!value.is_string()) return BadKey(key, "a string");
  return value.get<std::string>();
}

}  // namespace ktstr

#endif  // KTSTR_MODEL_JSON_FIELDS_H_
