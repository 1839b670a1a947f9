// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/table.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/printable.h"
#include "results/report.h"
#include "results/style.h"

namespace ktstr::results {
namespace {

constexpr int kMaxReason = 200;

// The first `columns` characters.
std::string Cut(const std::string& text, int columns) {
  if (DisplayWidth(text) <= columns) return text;
  size_t end = 0;
  for (int seen = 0; end < text.size(); ++end) {
    if ((text[end] & 0xC0) != 0x80 && ++seen > columns) break;
  }
  return text.substr(0, end);
}

std::string TestCell(const v1::VariantSpec& spec) {
  return spec.has_repetition()
             ? absl::StrCat(spec.test(), " #", spec.repetition().run())
             : spec.test();
}

std::string TopologyCell(const v1::VariantSpec& spec) {
  return spec.preset().empty()
             ? spec.topology()
             : absl::StrCat(spec.preset(), " ", spec.topology());
}

std::string SchedulerCell(const v1::VariantSpec& spec) {
  bool is_plain = spec.profile().empty() || spec.profile() == "default" ||
                  spec.flags().empty();
  return is_plain ? spec.scheduler().name()
                  : absl::StrCat(spec.scheduler().name(), " ",
                                 absl::StrJoin(spec.flags(), "+"));
}

std::string TimeCell(const v1::Variant& variant) {
  if (!variant.result().has_wall_time()) return "-";
  const auto& time = variant.result().wall_time();
  return ShortDuration(time.seconds() + time.nanos() / 1e9);
}

bool HasManyKernels(const std::vector<const v1::Variant*>& variants) {
  std::set<std::string> labels;
  for (const v1::Variant* variant : variants) {
    labels.insert(variant->spec().kernel().label());
  }
  return labels.size() > 1;
}

}  // namespace

int DisplayWidth(absl::string_view text) {
  return static_cast<int>(std::count_if(
      text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void TextTable::AddRow(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = PrintableLine(cell);
  cells.resize(rows_[0].size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::ToString(int width, const Style& style) const {
  size_t columns = rows_[0].size();
  std::vector<int> widths(columns, 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < columns; ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    int used = 0;
    for (size_t i = 0; i < columns; ++i) {
      std::string cell = rows_[r][i];
      if (width > 0) cell = Cut(cell, std::max(0, width - used));
      int padding = i + 1 < columns ? widths[i] - DisplayWidth(cell) + 2 : 0;
      used += DisplayWidth(cell) + padding;
      if (style) cell = style(r, i, std::move(cell));
      absl::StrAppend(&line, cell, std::string(padding, ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string VariantTable(const std::vector<const v1::Variant*>& variants,
                         int width, bool has_colour) {
  bool has_kernels = HasManyKernels(variants);
  std::vector<std::string> header = {"TEST", "TOPOLOGY", "SCHEDULER"};
  if (has_kernels) header.push_back("KERNEL");
  size_t outcome_column = header.size();
  header.insert(header.end(), {"OUTCOME", "TIME", "REASON"});
  TextTable table(header);
  for (const v1::Variant* variant : variants) {
    const v1::VariantSpec& spec = variant->spec();
    std::vector<std::string> row = {TestCell(spec), TopologyCell(spec),
                                    SchedulerCell(spec)};
    if (has_kernels) row.push_back(spec.kernel().label());
    row.push_back(OutcomeName(variant->result().outcome()));
    row.push_back(TimeCell(*variant));
    row.push_back(PrintableLine(ReasonOf(*variant), kMaxReason));
    table.AddRow(std::move(row));
  }
  return table.ToString(
      width, [&](size_t row, size_t column, std::string cell) {
        if (row == 0) return Styled(has_colour, Tone::kBold, cell);
        if (column != outcome_column) return cell;
        return Styled(has_colour, ToneOf(variants[row - 1]->result().outcome()),
                      cell);
      });
}

std::string TotalsLine(const v1::RunCounts& counts, double seconds) {
  std::vector<std::string> parts = {absl::StrCat(counts.passed(), " passed")};
  auto add = [&parts](int count, absl::string_view word) {
    if (count > 0) parts.push_back(absl::StrCat(count, " ", word));
  };
  add(counts.failed(), "failed");
  add(counts.errors(), "error");
  add(counts.missed(), "missed");
  add(counts.skipped(), "skipped");
  add(counts.cancelled(), "cancelled");
  add(counts.pending() + counts.leased(), "unfinished");
  return absl::StrCat(
      counts.total(), counts.total() == 1 ? " variant: " : " variants: ",
      absl::StrJoin(parts, ", "), " in ", ShortDuration(seconds));
}

}  // namespace ktstr::results
