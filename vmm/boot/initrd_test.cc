// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/boot/initrd.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr uint64_t kMib = 1 << 20;

class InitrdTest : public testing::Test {
 protected:
  UniqueFd FileWith(const std::string& text) {
    UniqueFd fd(memfd_create("archive", MFD_CLOEXEC));
    EXPECT_OK(WriteAll(fd.get(), text));
    return fd;
  }
  std::string ReadRam(GuestPhysAddr gpa, size_t size) {
    std::vector<std::byte> bytes(size);
    EXPECT_OK(memory_->Read(gpa, absl::MakeSpan(bytes)));
    std::string text(size, 0);
    std::memcpy(text.data(), bytes.data(), size);
    return text;
  }
  absl::StatusOr<InitrdRange> Place(std::vector<int> fds) {
    return PlaceInitrds(fds, GuestPhysAddr(kMib), GuestPhysAddr(64 * kMib),
                        *memory_);
  }

  std::unique_ptr<GuestMemory> memory_ = *GuestMemory::Create(
      {{.start = GuestPhysAddr(0), .size_bytes = 4 * kMib}});
};

TEST_F(InitrdTest, NoArchiveIsNoRange) {
  ASSERT_OK_AND_ASSIGN(InitrdRange range, Place({}));
  EXPECT_EQ(range.size_bytes, 0u);
}

TEST_F(InitrdTest, ArchivesFollowEachOtherOnPagesOfTheirOwn) {
  UniqueFd base = FileWith(std::string(5000, 'b'));
  UniqueFd tail = FileWith("tail");
  ASSERT_OK_AND_ASSIGN(InitrdRange range, Place({base.get(), tail.get()}));
  EXPECT_EQ(range.start.value() + 12288, 4 * kMib);
  EXPECT_EQ(range.size_bytes, 8192u + 4);
  EXPECT_EQ(ReadRam(range.start, 5000), std::string(5000, 'b'));
  EXPECT_EQ(ReadRam(range.start + 5000, 3192), std::string(3192, '\0'));
  EXPECT_EQ(ReadRam(range.start + 8192, 5), std::string("tail\0", 5));
}

TEST_F(InitrdTest, GuestWritesDoNotReachTheFile) {
  UniqueFd archive = FileWith(std::string(8192, 'x'));
  ASSERT_OK_AND_ASSIGN(InitrdRange range, Place({archive.get()}));
  ASSERT_OK(memory_->Fill(range.start, 8192, 0));
  char byte = 0;
  ASSERT_EQ(pread(archive.get(), &byte, 1, 100), 1);
  EXPECT_EQ(byte, 'x');
}

TEST_F(InitrdTest, ExactFitIsAcceptedOnePageMoreIsNot) {
  UniqueFd archive = FileWith("");
  ASSERT_EQ(ftruncate(archive.get(), 3 * kMib), 0);
  ASSERT_OK_AND_ASSIGN(InitrdRange range, Place({archive.get()}));
  EXPECT_EQ(range.start.value(), kMib);
  ASSERT_EQ(ftruncate(archive.get(), 3 * kMib + 1), 0);
  EXPECT_THAT(Place({archive.get()}),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("the machine has 4 MiB")));
}

TEST_F(InitrdTest, StaysBelowTheCeiling) {
  UniqueFd archive = FileWith("x");
  int fd = archive.get();
  auto range = PlaceInitrds({&fd, 1}, GuestPhysAddr(kMib),
                            GuestPhysAddr(2 * kMib), *memory_);
  ASSERT_OK(range.status());
  EXPECT_EQ(range->start.value() + 4096, 2 * kMib);
}

TEST_F(InitrdTest, RefusesADescriptorThatIsNoFile) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  UniqueFd read(ends[0]), write(ends[1]);
  EXPECT_THAT(Place({read.get()}), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("regular file")));
}

}  // namespace
}  // namespace ktstr::vmm
