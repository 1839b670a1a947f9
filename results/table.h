// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_TABLE_H_
#define KTSTR_RESULTS_TABLE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace ktstr::v1 {
class RunCounts;
class Variant;
}  // namespace ktstr::v1

namespace ktstr::results {

// Rows of cells under a header, columns as wide as their widest cell.
//
// Trust: cells are made printable.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header)
      : rows_({std::move(header)}) {}

  // REQUIRES: as many cells as the header has.
  void AddRow(std::vector<std::string> cells);

  // Lines are cut to `width` columns; 0 means no limit. `style`, if any, may
  // wrap a padded cell in terminal attributes.
  using Style =
      std::function<std::string(size_t row, size_t column, std::string cell)>;
  std::string ToString(int width = 0, const Style& style = nullptr) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// TEST, TOPOLOGY, SCHEDULER, KERNEL (only with two or more), OUTCOME, TIME,
// REASON: one line a variant, in the order given. Runs of a repeated test are
// "TEST #1", "TEST #2", ...
std::string VariantTable(const std::vector<const v1::Variant*>& variants,
                         int width, bool has_colour);

// "24 variants: 23 passed, 1 failed in 3m 12s"; outcomes that did not occur
// are left out, except passed.
std::string TotalsLine(const v1::RunCounts& counts, double seconds);

// Columns that `text` takes: one a character, which is right for what
// Printable() leaves of Latin scripts.
int DisplayWidth(absl::string_view text);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_TABLE_H_
