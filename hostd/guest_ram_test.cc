// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_ram.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

UniqueFd MakeFile(uint64_t bytes, int seals = F_SEAL_SHRINK) {
  UniqueFd file(memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(file.get(), F_ADD_SEALS, seals), 0);
  return file;
}

absl::StatusOr<GuestRam> Create(const std::vector<MappedRam>& map,
                                UniqueFd file) {
  std::vector<UniqueFd> files;
  files.push_back(std::move(file));
  return GuestRam::Create(FormatMemoryMap(map), std::move(files));
}

TEST(GuestRamTest, AddressesAreTheGuests) {
  // Low RAM, a hole, high RAM, in one file that is no multiple of a window.
  const uint64_t low = 3 << 20;
  const uint64_t high = 4096;
  UniqueFd file = MakeFile(low + high);
  const int fd = file.get();
  ASSERT_OK_AND_ASSIGN(
      GuestRam ram, Create({{0, low, 0, 0}, {uint64_t{4} << 30, high, 0, low}},
                           std::move(file)));
  ASSERT_OK(ram.WriteU64((uint64_t{4} << 30) + 4088, 0x1122334455667788));
  ASSERT_OK(ram.WriteU64(low - 8, 7));
  EXPECT_THAT(ram.ReadU64((uint64_t{4} << 30) + 4088),
              IsOkAndHolds(0x1122334455667788));
  EXPECT_THAT(ram.ReadU64(low - 8), IsOkAndHolds(7u));
  uint64_t word = 0;
  ASSERT_EQ(pread(fd, &word, 8, static_cast<off_t>(low + 4088)), 8);
  EXPECT_EQ(word, 0x1122334455667788u);
  EXPECT_THAT(ram.ReadU64(low), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ram.ReadU64((uint64_t{4} << 30) + 4096),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ram.ReadU64(~uint64_t{7}),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ram.WriteU64(4, 1), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(GuestRamTest, RefusesFilesThatCouldGoAway) {
  EXPECT_THAT(
      Create({{0, 8192, 0, 0}}, MakeFile(8192, F_SEAL_GROW)),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not sealed")));
  EXPECT_THAT(Create({{0, 8192, 0, 0}}, UniqueFd(open("/dev/null", O_RDWR))),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Create({{0, 8192, 0, 4096}}, MakeFile(8192)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("its map needs 12288")));
}

}  // namespace
}  // namespace ktstr::hostd
