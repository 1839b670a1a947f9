// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/memory_map.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;

TEST(MemoryMapTest, ReadsWhatItWrites) {
  ASSERT_OK_AND_ASSIGN(
      std::vector<MappedRam> ram,
      ParseMemoryMap(FormatMemoryMap({{0, 0xc0000000, 0, 0},
                                      {0x100000000, 0x40000000, 1, 0x200000}}),
                     /*files=*/2));
  ASSERT_EQ(ram.size(), 2u);
  EXPECT_EQ(ram[0].size_bytes, 0xc0000000u);
  EXPECT_EQ(ram[1].start, 0x100000000u);
  EXPECT_EQ(ram[1].file, 1);
  EXPECT_EQ(ram[1].file_offset, 0x200000u);
}

TEST(MemoryMapTest, RefusesWhatIsNoMap) {
  for (const char* text :
       {"", "[]", "{}", "{\"ram\":[]}", "{\"ram\":[[0,4096,0]]}",
        "{\"ram\":[[0,4096,0,1]]}", "{\"ram\":[[1,4096,0,0]]}",
        "{\"ram\":[[0,0,0,0]]}", "{\"ram\":[[0,4096,1,0]]}",
        "{\"ram\":[[0,4096,-1,0]]}", "{\"ram\":[[0,-4096,0,0]]}",
        "{\"ram\":[[0,8192,0,0],[4096,4096,0,0]]}",
        "{\"ram\":[[18446744073709547520,4096,0,0]]}",
        "{\"ram\":[[0,4096,0,0.5]]}", "{\"ram\":[[0,4096,0,0]]"}) {
    EXPECT_THAT(ParseMemoryMap(text, /*files=*/1),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

}  // namespace
}  // namespace ktstr
