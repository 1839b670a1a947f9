// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/frames.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::guestd {

absl::StatusOr<absl::optional<v1::TestFrame>> FrameReader::Next() {
  if (!broken_.ok()) return broken_;
  ABSL_ASSIGN_OR_RETURN(absl::optional<std::string> bytes, frames_.Next());
  if (!bytes) return absl::optional<v1::TestFrame>();
  v1::TestFrame frame;
  if (!frame.ParseFromString(*bytes) ||
      frame.frame_case() == v1::TestFrame::FRAME_NOT_SET) {
    broken_ = absl::InvalidArgumentError(absl::StrCat(
        "a frame of ", bytes->size(), " bytes is not a TestFrame"));
    return broken_;
  }
  return absl::make_optional(std::move(frame));
}

}  // namespace ktstr::guestd
