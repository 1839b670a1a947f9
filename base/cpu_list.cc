// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/cpu_list.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ktstr {
namespace {

constexpr int kMaxCpu = 65535;

bool ParseCpu(absl::string_view text, int* cpu) {
  return absl::SimpleAtoi(text, cpu) && *cpu >= 0 && *cpu <= kMaxCpu;
}

}  // namespace

absl::StatusOr<std::vector<int>> ParseCpuList(absl::string_view text) {
  // Index: CPU; as long as the highest one needs.
  std::vector<bool> is_named;
  size_t named = 0;
  for (absl::string_view item : absl::StrSplit(text, ',')) {
    item = absl::StripAsciiWhitespace(item);
    if (item.empty()) continue;
    std::pair<absl::string_view, absl::string_view> ends =
        absl::StrSplit(item, absl::MaxSplits('-', 1));
    int first = 0;
    int last = 0;
    bool is_range = item.find('-') != absl::string_view::npos;
    if (!ParseCpu(ends.first, &first) ||
        !ParseCpu(is_range ? ends.second : ends.first, &last)) {
      return absl::InvalidArgumentError(
          absl::StrCat("CPU list item \"", item,
                       "\" is not a number or range between 0 and ", kMaxCpu));
    }
    if (last < first) {
      return absl::InvalidArgumentError(
          absl::StrCat("CPU list range \"", item, "\" is reversed"));
    }
    named += size_t(last - first) + 1;
    if (named > 4u * kMaxCpu) {
      return absl::InvalidArgumentError("CPU list repeats itself too often");
    }
    if (is_named.size() <= size_t(last)) is_named.resize(size_t(last) + 1);
    std::fill(is_named.begin() + first, is_named.begin() + last + 1, true);
  }
  std::vector<int> cpus;
  cpus.reserve(std::min(named, is_named.size()));
  for (size_t cpu = 0; cpu < is_named.size(); ++cpu) {
    if (is_named[cpu]) cpus.push_back(int(cpu));
  }
  return cpus;
}

std::string FormatCpuList(absl::Span<const int> cpus) {
  std::string text;
  for (size_t i = 0; i < cpus.size();) {
    size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    absl::StrAppend(&text, text.empty() ? "" : ",", cpus[i]);
    if (end - i > 1) absl::StrAppend(&text, "-", cpus[end - 1]);
    i = end;
  }
  return text;
}

}  // namespace ktstr
