// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_GUEST_FACTS_H_
#define KTSTR_TESTS_GUEST_FACTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace ktstr::guest {

// What was found, compared with what was declared, fact by fact.
class Facts {
 public:
  // Files are named relative to `root`.
  explicit Facts(std::string root) : root_(std::move(root)) {}

  // The file is there and says exactly this, white space around it apart.
  void ExpectText(const std::string& file, absl::string_view declared);
  void ExpectNumber(const std::string& file, int64_t declared);
  // A list such as "0-3,8", whatever its spelling; may be empty.
  void ExpectCpus(const std::string& file, const std::vector<int>& declared);
  void ExpectAbsent(const std::string& file);
  // The directory's entries that are `prefix` and a number: these numbers.
  void ExpectNumbered(const std::string& dir, absl::string_view prefix,
                      const std::vector<int>& declared);
  // Of anything else; numbers in hexadecimal.
  void ExpectHex(const std::string& what, uint64_t found, uint64_t declared);
  void ExpectEqual(const std::string& what, int64_t found, int64_t declared);
  void Report(std::string difference);

  // How many were compared.
  int checked() const { return checked_; }
  // One sentence each; empty when everything matches.
  const std::vector<std::string>& differences() const { return differences_; }

 private:
  // False: the file cannot be read, which is a difference.
  bool Text(const std::string& file, std::string& text);

  const std::string root_;
  int checked_ = 0;
  std::vector<std::string> differences_;
};

}  // namespace ktstr::guest

#endif  // KTSTR_TESTS_GUEST_FACTS_H_
