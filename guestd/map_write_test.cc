// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/map_write.h"

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::BpfMapWrite Write(const std::string& suffix, uint32_t offset,
                      uint32_t value = 1) {
  v1::BpfMapWrite write;
  write.set_map_suffix(suffix);
  write.set_offset(offset);
  write.set_value(value);
  return write;
}

// As of a scheduler with two objects.
const std::vector<BpfMap>& Maps() {
  static const auto& maps = *new std::vector<BpfMap>{
      {.id = 1,
       .name = "mine.bss",
       .type = BPF_MAP_TYPE_ARRAY,
       .value_size = 8},
      {.id = 2,
       .name = "mine.data",
       .type = BPF_MAP_TYPE_ARRAY,
       .value_size = 6},
      {.id = 3,
       .name = "mine.rodata",
       .type = BPF_MAP_TYPE_ARRAY,
       .value_size = 64},
      {.id = 4,
       .name = "other.bss",
       .type = BPF_MAP_TYPE_ARRAY,
       .value_size = 4},
      {.id = 5, .name = "events", .type = BPF_MAP_TYPE_RINGBUF},
      {.id = 6,
       .name = "huge",
       .type = BPF_MAP_TYPE_ARRAY,
       .value_size = 0xffffffff},
      {.id = 7, .name = "", .type = BPF_MAP_TYPE_ARRAY, .value_size = 4},
  };
  return maps;
}

TEST(FindMapTest, OneWhoseNameEndsSoAndThatHasTheWord) {
  struct Case {
    const char* suffix;
    uint32_t offset;
    uint32_t id;       // 0: refused
    const char* says;  // of a refusal
  };
  for (const Case& c : {
           Case{".data", 0, 2, ""},
           Case{"mine.data", 0, 2, ""},
           Case{".rodata", 60, 3, ""},
           Case{"mine.bss", 4, 1, ""},
           Case{"r.bss", 0, 4, ""},
           Case{"huge", 0xfffffff8, 6, ""},
           Case{"mine.bss", 8, 0, "the value of map mine.bss has only 8 bytes"},
           Case{".data", 4, 0, "has only 6 bytes"},
           Case{"huge", 0xfffffffc, 0, "has only 4294967295 bytes"},
           Case{".bss", 0, 0,
                "the names of 2 maps end so: mine.bss, other.bss"},
           Case{"data", 0, 0,
                "the names of 2 maps end so: mine.data, mine.rodata"},
           Case{"my.mine.data", 0, 0, "no map's name ends so"},
           Case{".BSS", 0, 0, "no map's name ends so"},
           Case{"mine", 0, 0, "no map's name ends so"},
           Case{"events", 0, 0, "map events is no array but of type ringbuf"},
           Case{"", 0, 0, "the suffix is empty"},
           Case{"mine.bss", 2, 0, "the offset is no multiple of 4"},
       }) {
    SCOPED_TRACE(absl::StrCat(c.suffix, " at ", c.offset));
    absl::StatusOr<const BpfMap*> map =
        FindMap(Maps(), Write(c.suffix, c.offset));
    if (c.id != 0) {
      ASSERT_OK(map);
      EXPECT_EQ((*map)->id, c.id);
    } else {
      EXPECT_FALSE(map.ok());
      EXPECT_THAT(std::string(map.status().message()), HasSubstr(c.says));
    }
  }
}

// What was stored, "MAP OFFSET VALUE".
class WriteMapsTest : public ::testing::Test {
 protected:
  absl::Status Do(const std::vector<v1::BpfMapWrite>& writes,
                  const std::vector<BpfMap>& maps = Maps()) {
    return WriteMaps(
        {writes.begin(), writes.end()}, maps,
        [this](const BpfMap& map, uint32_t at, uint32_t value) {
          if (map.name == "mine.rodata") {
            return absl::PermissionDeniedError("it is frozen");
          }
          stored_.push_back(absl::StrCat(map.id, " ", at, " ", value));
          return absl::OkStatus();
        });
  }

  std::vector<std::string> stored_;
};

TEST_F(WriteMapsTest, AllInTheirOrder) {
  EXPECT_OK(Do({Write("mine.bss", 4, 7), Write(".data", 0, 8),
                Write("mine.bss", 4, 9)}));
  EXPECT_THAT(stored_, ElementsAre("1 4 7", "2 0 8", "1 4 9"));
  EXPECT_OK(Do({}, {}));
}

TEST_F(WriteMapsTest, EveryOneThatFailsIsToldAndTheOthersAreDone) {
  absl::Status status =
      Do({Write("nope", 0), Write(".data", 0, 8), Write(".rodata", 8)});
  EXPECT_THAT(stored_, ElementsAre("2 0 8"));
  EXPECT_EQ(
      status.message(),
      "2 of 3 not done: \"nope\" at 0: no map's name ends so; \".rodata\" at "
      "8: it is frozen; its maps: mine.bss (array, 8 bytes), mine.data (array, "
      "6 bytes), mine.rodata (array, 64 bytes), other.bss (array, 4 bytes), "
      "events (ringbuf, 0 bytes), huge (array, 4294967295 bytes), (no name) "
      "(array, 4 bytes)");
}

TEST_F(WriteMapsTest, SchedulerWithoutMapsOrWithMany) {
  EXPECT_THAT(std::string(Do({Write(".bss", 0)}, {}).message()),
              HasSubstr("its programs use no maps"));
  std::vector<BpfMap> many(40, {.name = "m", .type = 99, .value_size = 4});
  const std::string text(Do({Write(".bss", 0)}, many).message());
  EXPECT_THAT(text, AllOf(HasSubstr("m (type 99, 4 bytes)"),
                          HasSubstr(" and 24 more")));
  EXPECT_THAT(stored_, IsEmpty());
}

// The host keeps 2,048 bytes of a sentence; what is wrong comes first.
TEST_F(WriteMapsTest, SixteenFailuresFitIntoOneSentence) {
  const std::vector<v1::BpfMapWrite> writes(16,
                                            Write("scx_fixture.bss", 1 << 30));
  const std::string text(Do(writes).message());
  EXPECT_THAT(text.substr(0, 2048), HasSubstr("its maps: mine.bss"));
  EXPECT_THAT(text, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace ktstr::guestd
