// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_QUARANTINE_H_
#define KTSTR_KTSTR_QUARANTINE_H_

#include <string_view>

namespace ktstr {

// A test that is known to fail for now. It runs, its failures are shown, and up
// to and including the day `until` (UTC) they do not fail the run. After it
// they do: nothing is forgotten in quarantine.
struct Quarantine {
  std::string_view reason;
  std::string_view until;  // "2027-01-31"

  constexpr bool is_set() const { return !reason.empty() || !until.empty(); }
};

namespace internal {

constexpr int DaysOf(int year, int month) {
  if (month == 2) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  }
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// "2027-01-31", and such a day there is.
constexpr bool IsDay(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  if (text.size() != kForm.size()) return false;
  int numbers[3] = {};
  int part = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (kForm[i] == '-') {
      if (text[i] != '-') return false;
      ++part;
    } else if (text[i] < '0' || text[i] > '9') {
      return false;
    } else {
      numbers[part] = numbers[part] * 10 + (text[i] - '0');
    }
  }
  return numbers[1] >= 1 && numbers[1] <= 12 && numbers[2] >= 1 &&
         numbers[2] <= DaysOf(numbers[0], numbers[1]);
}

}  // namespace internal
}  // namespace ktstr

#endif  // KTSTR_KTSTR_QUARANTINE_H_
