// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_json.h"

#include <cmath>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace ktstr::internal {
namespace {

using Json = nlohmann::json;

// Says how far a parser has read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, size_t* count) : at_(at), count_(count) {}

  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    if (count_ != nullptr) ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const {
    return at_ == other.at_;
  }
  bool operator!=(const CountingIterator& other) const {
    return at_ != other.at_;
  }

 private:
  const char* at_;
  size_t* count_;
};

// Collects numbers as a parser comes by them; no document is built.
class Flattener : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Leaf(); }
  bool boolean(bool) override { return Leaf(); }
  bool string(string_t&) override { return Leaf(); }
  bool binary(binary_t&) override { return Leaf(); }
  bool number_integer(number_integer_t value) override {
    return Number(static_cast<double>(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return Number(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return Number(value);
  }

  bool start_object(size_t) override {
    has_object_ = true;
    return Open(/*is_array=*/false);
  }
  bool start_array(size_t) override { return Open(/*is_array=*/true); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    has_content_ = has_structure_ = true;
    if (IsDeep()) return true;
    path_.resize(levels_.back().path_size);
    levels_.back().is_too_long = !Append(name);
    return true;
  }

  bool parse_error(size_t, const std::string&,
                   const nlohmann::detail::exception&) override {
    return false;
  }

  bool has_object() const { return has_object_; }
  // Something came behind the first bracket that could stand there.
  bool has_content() const { return has_content_; }
  // And it was more than plain values.
  bool has_structure() const { return has_structure_; }
  JsonNumbers Take() {
    JsonNumbers result;
    result.is_truncated = is_truncated_;
    result.numbers = std::move(numbers_);
    return result;
  }

 private:
  // An object or array that is open.
  struct Level {
    size_t path_size = 0;  // of what it is in
    bool is_array = false;
    size_t next_index = 0;
    bool is_too_long = false;  // the path of the member at hand
  };

  bool IsDeep() const { return depth_ > JsonNumbers::kMaxDepth; }

  bool Append(absl::string_view part) {
    const size_t dot = path_.empty() ? 0 : 1;
    if (part.size() + path_.size() + dot > JsonNumbers::kMaxPathBytes) {
      return false;
    }
    absl::StrAppend(&path_, dot == 1 ? "." : "", part);
    return true;
  }

  // The path of the next element of an array; of a member it is there already.
  void BeginValue() {
    has_content_ |= depth_ > 0;
    if (levels_.empty() || IsDeep() || !levels_.back().is_array) return;
    Level& level = levels_.back();
    path_.resize(level.path_size);
    level.is_too_long = !Append(absl::StrCat(level.next_index++));
  }

  bool Leaf() {
    BeginValue();
    return true;
  }

  bool Number(double value) {
    BeginValue();
    if (levels_.empty() || !std::isfinite(value)) return true;
    if (IsDeep() || IsPathLost()) {
      is_truncated_ = true;
      return true;
    }
    auto [known, is_new] = places_.try_emplace(path_, numbers_.size());
    if (!is_new) {
      numbers_[known->second].value = value;
    } else if (numbers_.size() < JsonNumbers::kMaxNumbers) {
      numbers_.push_back({path_, value});
    } else {
      places_.erase(known);
      is_truncated_ = true;
    }
    return true;
  }

  bool IsPathLost() const {
    for (const Level& level : levels_) {
      if (level.is_too_long) return true;
    }
    return false;
  }

  bool Open(bool is_array) {
    BeginValue();
    has_structure_ |= depth_ > 0;
    ++depth_;
    if (!IsDeep()) {
      levels_.push_back({.path_size = path_.size(), .is_array = is_array});
    }
    return true;
  }

  bool Close() {
    if (!IsDeep()) {
      path_.resize(levels_.back().path_size);
      levels_.pop_back();
    }
    --depth_;
    return true;
  }

  std::vector<JsonNumber> numbers_;
  absl::flat_hash_map<std::string, size_t> places_;  // in numbers_, by path
  std::string path_;
  std::vector<Level> levels_;  // at most kMaxDepth
  int64_t depth_ = 0;
  bool has_object_ = false;
  bool has_content_ = false;
  bool has_structure_ = false;
  bool is_truncated_ = false;
};

// Behind the bracket that closes the first one of `text`, counting that kind
// alone and outside of strings; npos: there is none. Takes from `budget` what
// it looks at, and gives up when that is used up.
size_t BehindBalanced(absl::string_view text, size_t& budget) {
  const char open = text[0];
  const char close = open == '{' ? '}' : ']';
  size_t depth = 0;
  bool is_in_string = false;
  for (size_t i = 0; i < text.size() && budget > 0; ++i, --budget) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == open) {
      ++depth;
    } else if (c == close && --depth == 0) {
      return i + 1;
    }
  }
  return absl::string_view::npos;
}

}  // namespace

JsonNumbers FindJsonNumbers(absl::string_view text) {
  JsonNumbers second_best;
  size_t budget = 8 * text.size();
  size_t from = 0;
  while ((from = text.find_first_of("{[", from)) != absl::string_view::npos) {
    const absl::string_view rest = text.substr(from);
    size_t consumed = 0;
    Flattener flattener;
    const bool is_document =
        Json::sax_parse(CountingIterator(rest.data(), &consumed),
                        CountingIterator(rest.data() + rest.size(), nullptr),
                        &flattener, Json::input_format_t::json,
                        /*strict=*/false);
    if (!is_document) {
      const size_t behind = flattener.has_content()
                                ? BehindBalanced(rest, budget)
                                : absl::string_view::npos;
      if (behind != absl::string_view::npos) {
        from += behind;
      } else if (flattener.has_structure()) {
        break;  // unfinished
      } else {
        // The character that was one too many may begin a document itself.
        from += consumed > 2 ? consumed - 1 : 1;
      }
      continue;
    }
    from += consumed;
    JsonNumbers found = flattener.Take();
    if (found.numbers.empty() && !found.is_truncated) continue;
    if (flattener.has_object()) return found;
    if (second_best.numbers.empty()) second_best = std::move(found);
  }
  return second_best;
}

}  // namespace ktstr::internal
