// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/cycle_collapse.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ktstr {
namespace {

constexpr size_t kMinLines = 15;
constexpr size_t kMinAnchorBytes = 10;
constexpr uint32_t kMinAnchors = 3;
constexpr size_t kMaxStride = 3;
constexpr size_t kMinPeriod = 5;
constexpr uint32_t kMinDistances = 2;
constexpr size_t kMinRepetitions = 3;
constexpr int kMaxPasses = 5;

bool IsDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}

// What of a line counts when lines are compared: a part of it.
struct Form {
  absl::string_view numbered;    // with the number of the instruction
  absl::string_view unnumbered;  // without it
};

// Where an annotation with register states begins: "; R1=...", "; frame1: ...".
size_t FindAnnotation(absl::string_view text) {
  for (size_t at = text.find("; "); at != text.npos;
       at = text.find("; ", at + 1)) {
    absl::string_view rest = text.substr(at + 2);
    if (absl::StartsWith(rest, "frame")) return at;
    if (rest.size() >= 2 && rest[0] == 'R' && IsDigit(rest[1])) return at;
  }
  return text.npos;
}

// Where the target of a jump, "goto pc+12", ends.
size_t FindJumpEnd(absl::string_view text) {
  constexpr absl::string_view kJump = "goto pc";
  for (size_t at = text.find(kJump); at != text.npos;
       at = text.find(kJump, at + 1)) {
    size_t end = at + kJump.size();
    if (end >= text.size() || (text[end] != '+' && text[end] != '-')) continue;
    size_t digits = ++end;
    while (end < text.size() && IsDigit(text[end])) ++end;
    if (end > digits) return end;
  }
  return text.npos;
}

bool IsState(absl::string_view text) {
  return absl::StartsWith(text, "frame") ||
         (text.size() >= 2 && text[0] == 'R' && IsDigit(text[1]));
}

Form FormOf(absl::string_view line) {
  absl::string_view text = absl::StripAsciiWhitespace(line);
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits == 0) return {line, line};
  const bool is_numbered = digits < text.size() && text[digits] == ':';
  const size_t after_number = is_numbered ? digits + 1 : 0;
  absl::string_view rest =
      absl::StripLeadingAsciiWhitespace(text.substr(after_number));
  if (is_numbered && IsState(rest)) return {text.substr(0, after_number), ""};
  rest = rest.substr(0, FindAnnotation(rest));
  rest = rest.substr(0, FindJumpEnd(rest));
  const size_t end = rest.data() + rest.size() - text.data();
  return {absl::StripTrailingAsciiWhitespace(text.substr(0, end)),
          absl::StripTrailingAsciiWhitespace(rest)};
}

struct Line {
  absl::string_view text;
  // Equal numbers, equal forms.
  uint32_t numbered;
  uint32_t unnumbered;
};

struct Cycle {
  size_t start;
  size_t period;
  size_t repetitions;

  size_t end() const { return start + period * repetitions; }
};

class Collapser {
 public:
  explicit Collapser(absl::string_view log) {
    while (true) {
      size_t end = log.find('\n');
      lines_.push_back(MakeLine(log.substr(0, end)));
      if (end == log.npos) break;
      log.remove_prefix(end + 1);
    }
  }

  std::string Collapse() {
    for (int pass = 0; pass < kMaxPasses; ++pass) {
      // The text after the last line feed is no line.
      if (lines_.size() - lines_.back().text.empty() < kMinLines) break;
      std::vector<Cycle> cycles = FindCycles(&Line::numbered);
      if (cycles.empty()) cycles = FindCycles(&Line::unnumbered);
      if (cycles.empty()) break;
      Replace(cycles);
    }
    return absl::StrJoin(lines_, "\n", [](std::string* out, const Line& line) {
      absl::StrAppend(out, line.text);
    });
  }

 private:
  using Field = uint32_t Line::*;

  uint32_t Number(absl::string_view form) {
    auto [found, is_new] = numbers_.try_emplace(form, forms_.size());
    if (is_new) forms_.push_back(form);
    return found->second;
  }

  Line MakeLine(absl::string_view text) {
    Form form = FormOf(text);
    return {text, Number(form.numbered), Number(form.unnumbered)};
  }

  // Of those that are long and frequent enough, the most frequent form; of
  // several the smallest text.
  std::optional<uint32_t> FindAnchor(Field field) const {
    std::vector<uint32_t> counts(forms_.size());
    for (const Line& line : lines_) ++counts[line.*field];
    std::optional<uint32_t> best;
    for (uint32_t form = 0; form < counts.size(); ++form) {
      if (forms_[form].size() < kMinAnchorBytes || counts[form] < kMinAnchors) {
        continue;
      }
      if (!best || counts[form] > counts[*best] ||
          (counts[form] == counts[*best] && forms_[form] < forms_[*best])) {
        best = form;
      }
    }
    return best;
  }

  // The most common distance of anchors that are `stride` apart; of several the
  // smallest. 0: none is common.
  static size_t FindPeriod(const std::vector<size_t>& anchors, size_t stride) {
    absl::flat_hash_map<size_t, uint32_t> counts;
    for (size_t i = stride; i < anchors.size(); ++i) {
      size_t distance = anchors[i] - anchors[i - stride];
      if (distance >= kMinPeriod) ++counts[distance];
    }
    size_t best = 0;
    uint32_t best_count = kMinDistances - 1;
    for (auto [distance, count] : counts) {
      if (count > best_count || (count == best_count && distance < best)) {
        best = distance;
        best_count = count;
      }
    }
    return best;
  }

  // How many lines from each line on equal the line one period later.
  std::vector<uint32_t> MeasureRuns(size_t period) const {
    std::vector<uint32_t> runs(lines_.size());
    for (size_t i = lines_.size(); i-- > 0;) {
      if (i + period >= lines_.size()) continue;
      bool is_equal = lines_[i].unnumbered == lines_[i + period].unnumbered;
      runs[i] = is_equal ? runs[i + 1] + 1 : 0;
    }
    return runs;
  }

  // The nearest start, at most `reach` lines before `anchor`, that gives more
  // repetitions than `anchor`, or `anchor`. In so short a distance equality is
  // unbroken or leaves no repetition at all, so one start is all to look at.
  static size_t Align(const std::vector<uint32_t>& runs, size_t anchor,
                      size_t period, size_t reach) {
    const size_t missing = period - runs[anchor] % period;
    if (missing > reach) return anchor;
    const size_t start = anchor - missing;
    return runs[start] == runs[anchor] + missing ? start : anchor;
  }

  // Every run of blocks of `period` lines, from left to right.
  std::vector<Cycle> FindRuns(const std::vector<size_t>& anchors,
                              size_t period) const {
    const std::vector<uint32_t> runs = MeasureRuns(period);
    std::vector<Cycle> cycles;
    size_t free_from = 0;  // lines before it belong to a run already
    for (size_t anchor : anchors) {
      if (anchor < free_from || runs[anchor] < period) continue;
      const size_t start =
          Align(runs, anchor, period, std::min(anchor - free_from, period - 1));
      Cycle cycle = {start, period, 1 + runs[start] / period};
      if (cycle.repetitions < kMinRepetitions) continue;
      cycles.push_back(cycle);
      free_from = cycle.end();
    }
    return cycles;
  }

  std::vector<Cycle> FindCycles(Field field) const {
    std::optional<uint32_t> anchor = FindAnchor(field);
    if (!anchor) return {};
    std::vector<size_t> positions;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].*field == *anchor) positions.push_back(i);
    }
    for (size_t stride = 1; stride <= kMaxStride; ++stride) {
      size_t period = FindPeriod(positions, stride);
      if (period == 0) continue;
      std::vector<Cycle> cycles = FindRuns(positions, period);
      if (!cycles.empty()) return cycles;
    }
    return {};
  }

  Line Note(std::string text) {
    return MakeLine(notes_.emplace_back(std::move(text)));
  }

  void Replace(const std::vector<Cycle>& cycles) {
    std::vector<Line> kept;
    auto keep = [&](size_t from, size_t to) {
      kept.insert(kept.end(), lines_.begin() + from, lines_.begin() + to);
    };
    size_t done = 0;
    for (const Cycle& cycle : cycles) {
      keep(done, cycle.start);
      kept.push_back(
          Note(absl::StrCat("--- ", cycle.repetitions, " times the same ",
                            cycle.period, " lines; the first time: ---")));
      keep(cycle.start, cycle.start + cycle.period);
      kept.push_back(Note(absl::StrCat("--- ", cycle.repetitions - 2,
                                       " left out; the last time: ---")));
      keep(cycle.end() - cycle.period, cycle.end());
      kept.push_back(Note("--- end of what repeats ---"));
      done = cycle.end();
    }
    keep(done, lines_.size());
    lines_ = std::move(kept);
  }

  std::vector<Line> lines_;
  std::vector<absl::string_view> forms_;  // by number
  absl::flat_hash_map<absl::string_view, uint32_t> numbers_;
  std::deque<std::string> notes_;  // lines may point into them
};

}  // namespace

std::string CollapseCycles(absl::string_view log) {
  return Collapser(log).Collapse();
}

}  // namespace ktstr
