// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/frames.h"

#include "absl/strings/str_cat.h"

namespace ktstr::guestd {

absl::StatusOr<absl::optional<v1::TestFrame>> FrameReader::Next() {
  if (!broken_.ok()) return broken_;
  if (buffer_.size() < 4) return absl::optional<v1::TestFrame>();
  uint32_t size = 0;
  for (int i = 3; i >= 0; --i) {
    size = size << 8 | static_cast<uint8_t>(buffer_[i]);
  }
  if (size == 0 || size > kMaxFrameBytes) {
    broken_ = absl::InvalidArgumentError(absl::StrCat(
        "a frame claims ", size, " bytes; accepted are 1 to ", kMaxFrameBytes));
    return broken_;
  }
  if (buffer_.size() - 4 < size) return absl::optional<v1::TestFrame>();
  v1::TestFrame frame;
  if (!frame.ParseFromArray(buffer_.data() + 4, static_cast<int>(size)) ||
      frame.frame_case() == v1::TestFrame::FRAME_NOT_SET) {
    broken_ = absl::InvalidArgumentError(
        absl::StrCat("a frame of ", size, " bytes is not a TestFrame"));
    return broken_;
  }
  buffer_.erase(0, 4 + size);
  return absl::make_optional(std::move(frame));
}

}  // namespace ktstr::guestd
