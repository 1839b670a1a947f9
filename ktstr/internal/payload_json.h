// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_PAYLOAD_JSON_H_
#define KTSTR_KTSTR_INTERNAL_PAYLOAD_JSON_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ktstr::internal {

struct JsonNumber {
  // Keys and indices from the outside in, joined by '.': "jobs.0.read.iops".
  std::string path;
  double value = 0;
};

struct JsonNumbers {
  // In the order of the text; of equal paths the last.
  std::vector<JsonNumber> numbers;
  // Some were left out: too many, too deep, or with a path too long.
  bool is_truncated = false;

  static constexpr int kMaxDepth = 64;
  static constexpr size_t kMaxNumbers = 16384;
  static constexpr size_t kMaxPathBytes = 256;
};

// The finite numbers of the first JSON document in `text`, which may have
// anything around it. Strings, booleans and nulls are skipped.
//
// A document is an object or an array that is well-formed from its bracket to
// the end of its own. Where that fails the search goes on: behind the balanced
// bracket of a document that is broken, whose parts count for nothing, and at
// the point of failure of what only looked like one ("[info]"). An array
// without an object in it ("[ 12.5]", as logs begin) is taken when nothing
// better follows; one without numbers never; one that is unfinished ends the
// search.
//
// Trust: any bytes; time and memory are linear in their number, and do not grow
//        with the depth of nesting beyond one bit a level.
JsonNumbers FindJsonNumbers(absl::string_view text);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_PAYLOAD_JSON_H_
