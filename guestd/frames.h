// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_FRAMES_H_
#define KTSTR_GUESTD_FRAMES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "proto/test_frame.pb.h"

namespace ktstr::guestd {

// Takes what a test binary wrote into its frame pipe apart.
//
// Shape: each frame is a length (4 bytes, little endian, 1 to kMaxFrameBytes)
//        and that many bytes of a serialized TestFrame.
// Trust: the bytes may be anything; memory stays below one frame plus one
// piece.
class FrameReader {
 public:
  static constexpr uint32_t kMaxFrameBytes = 1 << 20;

  void Append(absl::string_view bytes) {
    buffer_.append(bytes.data(), bytes.size());
  }

  // The next whole frame; nullopt when more bytes are needed.
  //
  // Errors: InvalidArgument for an impossible length or content. The stream is
  //         lost then: every later call answers the same.
  absl::StatusOr<absl::optional<v1::TestFrame>> Next();

  // Bytes of a frame that is not whole yet.
  size_t pending_bytes() const { return buffer_.size(); }

 private:
  std::string buffer_;
  absl::Status broken_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_FRAMES_H_
