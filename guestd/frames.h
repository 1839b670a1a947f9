// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_FRAMES_H_
#define KTSTR_GUESTD_FRAMES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "base/length_frames.h"
#include "proto/test_frame.pb.h"

namespace ktstr::guestd {

// Takes what a test binary wrote into its frame pipe apart.
//
// Shape: LengthFrameReader's, each frame a serialized TestFrame.
// Trust: the bytes may be anything; memory stays below one frame plus one
// piece.
class FrameReader {
 public:
  static constexpr uint32_t kMaxFrameBytes = 1 << 20;

  void Append(absl::string_view bytes) { frames_.Append(bytes); }

  // The next whole frame; nullopt when more bytes are needed.
  //
  // Errors: InvalidArgument for an impossible length or content. The stream is
  //         lost then: every later call answers the same.
  absl::StatusOr<absl::optional<v1::TestFrame>> Next();

  // Bytes of a frame that is not whole yet.
  size_t pending_bytes() const { return frames_.pending_bytes(); }

 private:
  LengthFrameReader frames_{kMaxFrameBytes};
  absl::Status broken_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_FRAMES_H_
