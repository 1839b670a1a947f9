// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/memory/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "base/file.h"
#include "base/status_matchers.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

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
  EXPECT_EQ(regions[1].memfd_offset, 0u);
  EXPECT_EQ(regions[2].memfd_offset, 2 * kPage);
  EXPECT_EQ(memory->size_bytes(), 8 * kPage);
}

TEST(GuestMemoryTest, WhatIsWrittenIsInTheMemfd) {
  auto memory = MakeMemory();
  ASSERT_OK(memory->Write(GuestPhysAddr(9 * kPage), Bytes("hello")));
  char text[5];
  ASSERT_EQ(pread(memory->regions()[2].memfd, text, 5, 3 * kPage), 5);
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

TEST(GuestMemoryTest, MapPrivateShowsTheFileAndKeepsItUnchanged) {
  auto memory = MakeMemory();
  auto dir = TempDir::Create("guest-memory-");
  ASSERT_OK(dir);
  const std::string path = JoinPath(dir->path(), "initrd");
  std::string content(2 * kPage + 100, 'a');
  content[2 * kPage] = 'b';
  ASSERT_OK(WriteFileAtomically(path, content));
  auto fd = OpenFile(path, O_RDONLY);
  ASSERT_OK(fd);
  // From page 3 over the border between the nodes.
  ASSERT_OK(memory->MapPrivate(GuestPhysAddr(3 * kPage), fd->get(), 0,
                               content.size()));
  EXPECT_EQ(ReadText(*memory, 3 * kPage, content.size()), content);
  EXPECT_EQ(ReadText(*memory, 5 * kPage + 100, 1), std::string(1, '\0'));
  ASSERT_OK(memory->Write(GuestPhysAddr(3 * kPage), Bytes("guest")));
  ASSERT_OK_AND_ASSIGN(std::string after, ReadFile(path));
  EXPECT_EQ(after, content);
}

TEST(GuestMemoryTest, MapPrivateRefusesWhatTheFileDoesNotHold) {
  auto memory = MakeMemory();
  const int fd = memory->regions()[0].memfd;  // Four pages.
  EXPECT_THAT(memory->MapPrivate(GuestPhysAddr(0), fd, 0, 4 * kPage + 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(memory->MapPrivate(GuestPhysAddr(0), fd, ~(kPage - 1), 2 * kPage),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(memory->MapPrivate(GuestPhysAddr(1), fd, 0, kPage),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(memory->MapPrivate(GuestPhysAddr(5 * kPage), fd, 0, 2 * kPage),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(GuestMemoryTest, ReadFromFileSaysWhenTheFileEndsEarly) {
  auto memory = MakeMemory();
  const int fd = memory->regions()[1].memfd;  // Four pages.
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
