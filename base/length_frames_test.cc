// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/length_frames.h"

#include <string>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

std::string Frame(absl::string_view content) {
  std::string bytes(4, '\0');
  bytes[0] = static_cast<char>(content.size() & 0xff);
  bytes[1] = static_cast<char>(content.size() >> 8);
  return bytes + std::string(content);
}

TEST(LengthFrameReaderTest, GivesWholeFramesWhateverThePieces) {
  const std::string stream = Frame("one") + Frame(std::string(300, 'x'));
  LengthFrameReader reader(/*max_bytes=*/1000);
  std::string seen;
  for (char byte : stream) {
    reader.Append(absl::string_view(&byte, 1));
    absl::StatusOr<absl::optional<std::string>> frame = reader.Next();
    ASSERT_OK(frame);
    if (frame->has_value()) seen += **frame + "|";
  }
  EXPECT_EQ(seen, "one|" + std::string(300, 'x') + "|");
  EXPECT_EQ(reader.pending_bytes(), 0u);
}

TEST(LengthFrameReaderTest, AnImpossibleLengthEndsTheStream) {
  LengthFrameReader reader(/*max_bytes=*/299);
  reader.Append(Frame(std::string(300, 'x')));
  reader.Append(Frame("one"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(reader.Next(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("300 bytes; accepted are 1 to 299")));
  }
  LengthFrameReader empty(/*max_bytes=*/299);
  empty.Append(std::string(4, '\0'));
  EXPECT_THAT(empty.Next(), StatusIs(absl::StatusCode::kInvalidArgument,
                                     HasSubstr("0 bytes")));
}

}  // namespace
}  // namespace ktstr
