// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Bytes that a guest chose, made fit for people and for proto strings.
#ifndef KTSTR_HOSTD_TEXT_H_
#define KTSTR_HOSTD_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::hostd {

// `bytes` with everything outside printable ASCII replaced by '?', cut to
// `max_bytes` ("..." marks the cut), without surrounding white space.
std::string PrintableText(absl::string_view bytes, size_t max_bytes = 256);

// The last bytes of a stream.
//
// Shape: text() holds at most `max_bytes`; memory stays below twice that.
//        `dropped` bytes came before it.
class TailBuffer {
 public:
  explicit TailBuffer(size_t max_bytes) : max_bytes_(max_bytes) {}

  void Append(absl::string_view bytes);
  absl::string_view text() const;
  bool is_empty() const { return kept_.empty(); }
  int64_t dropped() const {
    return total_ - static_cast<int64_t>(text().size());
  }

 private:
  size_t max_bytes_;
  std::string kept_;
  int64_t total_ = 0;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_TEXT_H_
