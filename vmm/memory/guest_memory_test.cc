// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/memory/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr uint64_t kPage = GuestMemory::kPageSize;

// Two nodes: [0, 4 pages) and [4, 6) of node 0 and 1, a hole of two pages, and
// [8, 10) of node 1.
std::unique_ptr<GuestMemory> MakeMemory() {
  auto memory = GuestMemory::Create({
      {.start = GuestPhysAddr(8 * kPage), .size_bytes = 2 * kPage, .node = 1},
      {.start = GuestPhysAddr(0), .size_bytes = 4 * kPage, .node = 0},
      {.start = GuestPhysAddr(4 * kPage), .size_bytes = 2 * kPage, .node = 1},
  });
  EXPECT_OK(memory);
  return *std::move(memory);
}

absl::Span<const std::byte> Bytes(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()),
                             text.size());
}

std::string ReadText(const GuestMemory& memory, uint64_t gpa, size_t size) {
  std::string text(size, '?');
  EXPECT_OK(memory.Read(
      GuestPhysAddr(gpa),
      absl::MakeSpan(reinterpret_cast<std::byte*>(text.data()), size)));
  return text;
}

TEST(GuestMemoryTest, OneMemfdForEachNodeWithItsRegionsInOrder) {
  auto memory = MakeMemory();
  ASSERT_EQ(memory->regions().size(), 3u);
  const auto& regions = memory->regions();
  EXPECT_NE(regions[0].memfd, regions[1].memfd);
  EXPECT_EQ(regions[1].memfd, regions[2].memfd);
  EXPECT_GE(regions[2].memfd_offset, regions[1].memfd_offset + 2 * kPage);
  EXPECT_EQ(memory->size_bytes(), 8 * kPage);
}

TEST(GuestMemoryTest, HostAndMemfdAreAlignedLikeTheGuest) {
  constexpr uint64_t kHuge = GuestMemory::kHugePageSize;
  auto memory = GuestMemory::Create({
      {.start = GuestPhysAddr(0), .size_bytes = kHuge + kPage, .node = 0},
      {.start = GuestPhysAddr(kHuge + kPage), .size_bytes = kHuge, .node = 1},
      {.start = GuestPhysAddr(8 * kHuge), .size_bytes = kHuge, .node = 1},
  });
  ASSERT_OK(memory);
  for (const GuestMemory::Region& region : (*memory)->regions()) {
    const uint64_t expected = region.start.value() % kHuge;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(region.host) % kHuge, expected);
    EXPECT_EQ(region.memfd_offset % kHuge, expected);
  }
}

// Kilobytes of this process that lie in shared huge pages.
int64_t HugeShmemKib() {
  const std::string text =
      ReadFile("/proc/self/smaps_rollup", 1 << 20).value_or("");
  constexpr char kKey[] = "ShmemPmdMapped:";
  size_t at = text.find(kKey);
  if (at == std::string::npos) return -1;
  return std::strtoll(text.c_str() + at + std::strlen(kKey), nullptr, 10);
}

TEST(GuestMemoryTest, HugePagesKeepTheContentAndStayInsideTheRange) {
  constexpr uint64_t kHuge = GuestMemory::kHugePageSize;
  auto memory = GuestMemory::Create(
      {{.start = GuestPhysAddr(kPage), .size_bytes = 4 * kHuge, .node = 0}});
  ASSERT_OK(memory);
  ASSERT_OK((*memory)->Write(GuestPhysAddr(2 * kHuge), Bytes("content")));
  // Whole huge pages of the range are the second and the third.
  const bool are_huge =
      (*memory)->BackWithHugePages(GuestPhysAddr(kHuge + kPage), 10 * kHuge);
  EXPECT_EQ(ReadText(**memory, 2 * kHuge, 7), "content");
  EXPECT_EQ(ReadText(**memory, 3 * kHuge, 1), std::string(1, '\0'));
  const GuestMemory::Region& region = (*memory)->regions()[0];
  struct stat info;
  ASSERT_EQ(fstat(region.memfd, &info), 0);
  EXPECT_LE(uint64_t(info.st_blocks) * 512, 2 * kHuge);
  if (!are_huge) GTEST_SKIP() << "this host gives no huge pages";
  EXPECT_EQ(HugeShmemKib(), 4096);
}

TEST(GuestMemoryTest, PoolPagesAreWholeOrRefused) {
  constexpr uint64_t kHuge = GuestMemory::kHugePageSize;
  EXPECT_THAT(GuestMemory::Create(
                  {{.start = GuestPhysAddr(0), .size_bytes = kHuge + kPage}},
                  GuestMemory::Pages::kPool),
              StatusIs(absl::StatusCode::kInvalidArgument));
  // More than any pool: one terabyte. The kernel may promise it.
  auto memory = GuestMemory::Create(
      {{.start = GuestPhysAddr(0), .size_bytes = uint64_t{1} << 40}},
      GuestMemory::Pages::kPool);
  EXPECT_THAT(memory.ok() ? (*memory)->Populate() : memory.status(),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(GuestMemoryTest, MemoryIsBoundToAHostNodeThatExists) {
  auto memory = MakeMemory();
  EXPECT_OK(memory->BindNode(0, 0));
  EXPECT_OK(memory->BindNode(1, 0));
  EXPECT_OK(memory->Populate());
  EXPECT_FALSE(memory->BindNode(0, 1000).ok());
  EXPECT_THAT(memory->BindNode(0, 5000),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("5000 does not exist")));
}

TEST(GuestMemoryTest, HugePagesOfNoRamAreNone) {
  auto memory = MakeMemory();
  EXPECT_TRUE(memory->BackWithHugePages(GuestPhysAddr(0), 16 * kPage));
  EXPECT_TRUE(memory->BackWithHugePages(GuestPhysAddr(uint64_t{1} << 40),
                                        GuestMemory::kHugePageSize));
}

TEST(GuestMemoryTest, WhatIsWrittenIsInTheMemfd) {
  auto memory = MakeMemory();
  ASSERT_OK(memory->Write(GuestPhysAddr(9 * kPage), Bytes("hello")));
  char text[5];
  const GuestMemory::Region& region = memory->regions()[2];
  ASSERT_EQ(pread(region.memfd, text, 5, region.memfd_offset + kPage), 5);
  EXPECT_EQ(absl::string_view(text, 5), "hello");
}

TEST(GuestMemoryTest, RangeThatEndsAtTheLastByteIsInside) {
  auto memory = MakeMemory();
  EXPECT_OK(memory->Fill(GuestPhysAddr(8 * kPage), 2 * kPage, 1));
  EXPECT_OK(memory->WriteU64(GuestPhysAddr(10 * kPage - 8), 1));
  EXPECT_THAT(memory->WriteU64(GuestPhysAddr(10 * kPage - 7), 1),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(GuestMemoryTest, RangeAcrossRegionsThatTouchIsInside) {
  auto memory = MakeMemory();
  const uint64_t at = 4 * kPage - 3;
  ASSERT_OK(memory->Write(GuestPhysAddr(at), Bytes("across")));
  EXPECT_EQ(ReadText(*memory, at, 6), "across");
  std::vector<iovec> pieces;
  ASSERT_OK(memory->AppendIovecs(GuestPhysAddr(at), 6, pieces));
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].iov_len, 3u);
  EXPECT_EQ(pieces[1].iov_len, 3u);
}

TEST(GuestMemoryTest, RangeThatTouchesAHoleIsOutOfRangeAndChangesNothing) {
  auto memory = MakeMemory();
  const uint64_t at = 6 * kPage - 2;
  EXPECT_THAT(memory->Write(GuestPhysAddr(at), Bytes("xyz")),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_EQ(ReadText(*memory, at, 2), std::string(2, '\0'));
  // Over the whole hole, both ends being RAM.
  EXPECT_THAT(memory->Fill(GuestPhysAddr(0), 10 * kPage, 1),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(memory->ReadU16(GuestPhysAddr(7 * kPage)),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(GuestMemoryTest, AddressesThatWrapAreOutOfRange) {
  auto memory = MakeMemory();
  for (uint64_t gpa : {~uint64_t{0}, ~uint64_t{0} - 7, uint64_t{1} << 63}) {
    EXPECT_THAT(memory->ReadU64(GuestPhysAddr(gpa)),
                StatusIs(absl::StatusCode::kOutOfRange));
  }
  EXPECT_THAT(memory->Fill(GuestPhysAddr(kPage), ~uint64_t{0}, 1),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(GuestMemoryTest, IntegersAreLittleEndian) {
  auto memory = MakeMemory();
  ASSERT_OK(memory->WriteU32(GuestPhysAddr(16), 0x04030201));
  EXPECT_EQ(ReadText(*memory, 16, 4), "\x01\x02\x03\x04");
  EXPECT_THAT(memory->ReadU16(GuestPhysAddr(17)), IsOkAndHolds(0x0302));
}

TEST(GuestMemoryTest, AtomicAccessNeedsAlignmentAndRam) {
  auto memory = MakeMemory();
  EXPECT_OK(memory->StoreReleaseU16(GuestPhysAddr(2), 77));
  EXPECT_THAT(memory->LoadAcquireU16(GuestPhysAddr(2)), IsOkAndHolds(77));
  EXPECT_THAT(memory->LoadAcquireU16(GuestPhysAddr(3)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(memory->LoadAcquireU16(GuestPhysAddr(6 * kPage)),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(GuestMemoryTest, ReadFromFileSaysWhenTheFileEndsEarly) {
  auto memory = MakeMemory();
  const int fd = memory->regions()[0].memfd;  // Four pages.
  ASSERT_EQ(pwrite(fd, "kernel", 6, 3 * kPage), 6);
  EXPECT_OK(memory->ReadFromFile(GuestPhysAddr(10), fd, 3 * kPage, 6));
  EXPECT_EQ(ReadText(*memory, 10, 6), "kernel");
  EXPECT_THAT(memory->ReadFromFile(GuestPhysAddr(0), fd, 3 * kPage, kPage + 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(GuestMemoryTest, CreateRefusesBadRanges) {
  const auto create = [](std::vector<GuestMemory::Range> ranges) {
    return GuestMemory::Create(std::move(ranges)).status();
  };
  EXPECT_THAT(create({}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(create({{.start = GuestPhysAddr(0), .size_bytes = 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(create({{.start = GuestPhysAddr(1), .size_bytes = kPage}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(create({{.start = GuestPhysAddr(0), .size_bytes = 2 * kPage},
                      {.start = GuestPhysAddr(kPage), .size_bytes = kPage}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(
      create({{.start = GuestPhysAddr(~(kPage - 1)), .size_bytes = 2 * kPage}}),
      StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr::vmm
