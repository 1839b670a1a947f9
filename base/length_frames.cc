// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/length_frames.h"

#include "absl/strings/str_cat.h"

namespace ktstr {

absl::StatusOr<absl::optional<std::string>> LengthFrameReader::Next() {
  if (!broken_.ok()) return broken_;
  if (buffer_.size() < 4) return absl::optional<std::string>();
  uint32_t size = 0;
  for (int i = 3; i >= 0; --i) {
    size = size << 8 | static_cast<uint8_t>(buffer_[i]);
  }
  if (size == 0 || size > max_bytes_) {
    broken_ = absl::InvalidArgumentError(absl::StrCat(
        "a frame claims ", size, " bytes; accepted are 1 to ", max_bytes_));
    return broken_;
  }
  if (buffer_.size() - 4 < size) return absl::optional<std::string>();
  std::string content = buffer_.substr(4, size);
  buffer_.erase(0, 4 + size);
  return absl::make_optional(std::move(content));
}

}  // namespace ktstr
