// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/bpf_maps.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guestd/bpf_call.h"
#include "guestd/loaded_program.h"

namespace ktstr::guestd {
namespace {

using ::testing::HasSubstr;

// Beyond a page, and not a multiple of one.
constexpr uint32_t kValueSize = 5000;

UniqueFd MakeArray(const std::string& name, uint32_t flags) {
  bpf_attr attr = EmptyBpfAttr();
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = kValueSize;
  attr.max_entries = 1;
  attr.map_flags = flags;
  strncpy(attr.map_name, name.c_str(), sizeof(attr.map_name) - 1);
  return UniqueFd(CallBpf(BPF_MAP_CREATE, attr));
}

// A program that does nothing but have the map.
UniqueFd LoadUserOf(int map) {
  const bpf_insn insns[] = {
      {.code = BPF_LD | BPF_DW | BPF_IMM,
       .dst_reg = 1,
       .src_reg = BPF_PSEUDO_MAP_FD,
       .imm = map},
      {},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT},
  };
  bpf_attr attr = EmptyBpfAttr();
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = 4;
  // SAFETY: as the kernel's interface wants them; here and below.
  attr.insns = reinterpret_cast<uint64_t>(insns);
  attr.license = reinterpret_cast<uint64_t>("GPL");
  return UniqueFd(CallBpf(BPF_PROG_LOAD, attr));
}

std::string ReadValue(int map) {
  const uint32_t key = 0;
  std::string value((kValueSize + 7) / 8 * 8, '?');
  bpf_attr attr = EmptyBpfAttr();
  attr.map_fd = map;
  attr.key = reinterpret_cast<uint64_t>(&key);
  attr.value = reinterpret_cast<uint64_t>(value.data());
  EXPECT_EQ(CallBpf(BPF_MAP_LOOKUP_ELEM, attr), 0) << strerror(errno);
  return value.substr(0, kValueSize);
}

// Real system calls. Most machines let only root have BPF; the guests, where
// tests/e2e/setup_test.cc does the same, always do.
class BpfMapsTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    before_ = LastProgramId();
    unused_ = MakeArray("ktstr_unused", GetParam());
    map_ = MakeArray("ktstr_test.bss", GetParam());
    if (map_) program_ = LoadUserOf(map_.get());
    if (!program_) GTEST_SKIP() << "bpf(2): " << strerror(errno);
  }

  // As the kernel tells of it.
  BpfMap Find() {
    absl::StatusOr<std::vector<BpfMap>> maps = MapsOfProgramsSince(before_);
    EXPECT_OK(maps);
    BpfMap found;
    // Others may load programs meanwhile.
    for (const BpfMap& map : *maps) {
      EXPECT_NE(map.name, "ktstr_unused");
      if (map.name == "ktstr_test.bss") found = map;
    }
    EXPECT_NE(found.id, 0u);
    return found;
  }

  uint32_t before_ = 0;
  UniqueFd unused_;
  UniqueFd map_;
  UniqueFd program_;
};

TEST_P(BpfMapsTest, MapsOfAProgramAreToldOnce) {
  const UniqueFd another = LoadUserOf(map_.get());
  ASSERT_OK_AND_ASSIGN(std::vector<BpfMap> maps, MapsOfProgramsSince(before_));
  EXPECT_EQ(std::count_if(
                maps.begin(), maps.end(),
                [](const BpfMap& map) { return map.name == "ktstr_test.bss"; }),
            1);
  const BpfMap map = Find();
  EXPECT_EQ(map.type, uint32_t{BPF_MAP_TYPE_ARRAY});
  EXPECT_EQ(map.value_size, kValueSize);
  EXPECT_EQ(map.is_mappable, GetParam() == BPF_F_MMAPABLE);
}

TEST_P(BpfMapsTest, WordsAreWrittenAndNothingElseIs) {
  const BpfMap map = Find();
  EXPECT_OK(StoreInKernelMap(map, 0, 0x64636261));
  EXPECT_OK(StoreInKernelMap(map, 4096, 0x68676665));
  EXPECT_OK(StoreInKernelMap(map, kValueSize - 4, 0x6c6b6a69));
  std::string expected(kValueSize, '\0');
  expected.replace(0, 4, "abcd");
  expected.replace(4096, 4, "efgh");
  expected.replace(kValueSize - 4, 4, "ijkl");
  EXPECT_EQ(ReadValue(map_.get()), expected);
}

TEST_P(BpfMapsTest, FrozenMapIsNotWritten) {
  const BpfMap map = Find();
  bpf_attr attr = EmptyBpfAttr();
  attr.map_fd = map_.get();
  ASSERT_EQ(CallBpf(BPF_MAP_FREEZE, attr), 0);
  const absl::Status status = StoreInKernelMap(map, 8, 1);
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("map ktstr_test.bss is frozen"));
  EXPECT_EQ(ReadValue(map_.get()), std::string(kValueSize, '\0'));
}

TEST_P(BpfMapsTest, MapThatIsGoneIsSaid) {
  BpfMap map = Find();
  map.id = 0xfffffff0;
  EXPECT_THAT(std::string(StoreInKernelMap(map, 0, 1).message()),
              HasSubstr("map ktstr_test.bss is gone"));
}

INSTANTIATE_TEST_SUITE_P(All, BpfMapsTest,
                         ::testing::Values(0, uint32_t{BPF_F_MMAPABLE}),
                         [](const auto& info) {
                           return info.param == 0 ? "Copied" : "Mapped";
                         });

}  // namespace
}  // namespace ktstr::guestd
