// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_LENGTH_FRAMES_H_
#define KTSTR_BASE_LENGTH_FRAMES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace ktstr {

// Takes a stream of frames that say their length apart.
//
// Shape: each frame is a length (4 bytes, little endian, 1 to `max_bytes`) and
//        that many bytes.
// Trust: the bytes may be anything; memory stays below one frame plus one
//        piece.
class LengthFrameReader {
 public:
  explicit LengthFrameReader(uint32_t max_bytes) : max_bytes_(max_bytes) {}

  void Append(absl::string_view bytes) {
    buffer_.append(bytes.data(), bytes.size());
  }

  // The content of the next whole frame; nullopt when more bytes are needed.
  //
  // Errors: InvalidArgument for an impossible length. The stream is lost then:
  //         every later call answers the same.
  absl::StatusOr<absl::optional<std::string>> Next();

  // Bytes of a frame that is not whole yet.
  size_t pending_bytes() const { return buffer_.size(); }

 private:
  const uint32_t max_bytes_;
  std::string buffer_;
  absl::Status broken_;
};

}  // namespace ktstr

#endif  // KTSTR_BASE_LENGTH_FRAMES_H_
