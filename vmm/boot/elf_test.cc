// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/boot/elf.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <limits>
#include <span>
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

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// A file with one segment of 16 bytes at 1 MiB, to be spoilt by each test.
struct Kernel {
  Elf64_Ehdr header = {};
  Elf64_Phdr program = {};
  char code[16] = "guest code here";

  Kernel() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_entry = 0x100004;
    header.e_phoff = offsetof(Kernel, program);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    program.p_type = PT_LOAD;
    program.p_offset = offsetof(Kernel, code);
    program.p_paddr = 0x100000;
    program.p_filesz = sizeof(code);
    program.p_memsz = 4096;
  }
  absl::Span<const std::byte> bytes() const {
    auto view = std::as_bytes(std::span(this, 1));
    return {view.data(), view.size()};
  }
  absl::StatusOr<ElfImage> Parse() const {
    return ParseElf(bytes(), sizeof(*this));
  }
};

UniqueFd FileWith(absl::Span<const std::byte> bytes) {
  UniqueFd fd(memfd_create("kernel", MFD_CLOEXEC));
  std::string text(bytes.size(), 0);
  std::memcpy(text.data(), bytes.data(), bytes.size());
  EXPECT_OK(WriteAll(fd.get(), text));
  return fd;
}

TEST(ElfTest, ReadsEntryAndSegments) {
  ASSERT_OK_AND_ASSIGN(ElfImage image, Kernel().Parse());
  EXPECT_EQ(image.entry.value(), 0x100004u);
  ASSERT_EQ(image.segments.size(), 1u);
  EXPECT_EQ(image.segments[0].start.value(), 0x100000u);
  EXPECT_EQ(image.segments[0].file_bytes, 16u);
  EXPECT_EQ(image.end().value(), 0x101000u);
}

TEST(ElfTest, SaysThatABzImageNeedsExtraction) {
  std::vector<std::byte> image(4096);
  std::memcpy(image.data() + 0x202, "HdrS", 4);
  EXPECT_THAT(ParseElf(image, image.size()),
              StatusIs(kInvalid, HasSubstr("bzImage")));
}

TEST(ElfTest, RefusesTextAndEmptyFiles) {
  std::string text = "#!/bin/sh\n";
  auto view = std::as_bytes(std::span(text));
  EXPECT_THAT(ParseElf({view.data(), view.size()}, view.size()),
              StatusIs(kInvalid, HasSubstr("not an ELF file")));
  EXPECT_THAT(ParseElf({}, 0), StatusIs(kInvalid, HasSubstr("empty")));
}

TEST(ElfTest, RefusesAnotherArchitecture) {
  Kernel kernel;
  kernel.header.e_machine = EM_AARCH64;
  EXPECT_THAT(kernel.Parse(), StatusIs(kInvalid, HasSubstr("x86-64")));
}

TEST(ElfTest, RefusesRelocatableObjects) {
  Kernel kernel;
  kernel.header.e_type = ET_REL;
  EXPECT_THAT(kernel.Parse(), StatusIs(kInvalid, HasSubstr("type 1")));
}

TEST(ElfTest, RefusesEveryTruncation) {
  Kernel kernel;
  for (size_t size = 0; size < sizeof(kernel); ++size) {
    EXPECT_THAT(ParseElf(kernel.bytes().first(size), size), StatusIs(kInvalid))
        << size;
  }
}

TEST(ElfTest, RefusesProgramHeadersOutsideTheHead) {
  Kernel kernel;
  for (uint64_t offset : {uint64_t{sizeof(kernel)}, uint64_t{1} << 40,
                          std::numeric_limits<uint64_t>::max() - 8}) {
    kernel.header.e_phoff = offset;
    EXPECT_THAT(kernel.Parse(), StatusIs(kInvalid)) << offset;
  }
}

TEST(ElfTest, RefusesSegmentsThatWrapOrLeaveTheFile) {
  constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max() - 4;
  for (auto member : {&Elf64_Phdr::p_offset, &Elf64_Phdr::p_filesz,
                      &Elf64_Phdr::p_memsz, &Elf64_Phdr::p_paddr}) {
    Kernel kernel;
    kernel.program.*member = kHuge;
    EXPECT_THAT(kernel.Parse(), StatusIs(kInvalid));
  }
  Kernel kernel;
  kernel.program.p_memsz = kernel.program.p_filesz - 1;
  EXPECT_THAT(kernel.Parse(), StatusIs(kInvalid));
}

TEST(ElfTest, RefusesAnEntryOutsideEverySegment) {
  Kernel kernel;
  kernel.header.e_entry = 0x101000;
  EXPECT_THAT(kernel.Parse(), StatusIs(kInvalid, HasSubstr("entry point")));
}

TEST(ElfTest, SurvivesEveryOneByteCorruption) {
  Kernel kernel;
  std::vector<std::byte> bytes(kernel.bytes().begin(), kernel.bytes().end());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (uint8_t value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      auto spoilt = bytes;
      spoilt[i] = std::byte(value);
      auto image = ParseElf(spoilt, spoilt.size());
      if (!image.ok()) continue;
      for (const auto& segment : image->segments) {
        EXPECT_LE(segment.file_offset + segment.file_bytes, bytes.size());
      }
    }
  }
}

class LoadElfTest : public testing::Test {
 protected:
  std::unique_ptr<GuestMemory> memory_ = *GuestMemory::Create(
      {{.start = GuestPhysAddr(0), .size_bytes = 2 << 20}});
};

TEST_F(LoadElfTest, PutsBytesAtTheirPhysicalAddress) {
  Kernel kernel;
  UniqueFd fd = FileWith(kernel.bytes());
  ASSERT_OK(LoadElf(fd.get(), GuestPhysAddr(0x100000), *memory_).status());
  std::array<std::byte, 16> loaded;
  ASSERT_OK(memory_->Read(GuestPhysAddr(0x100000), absl::MakeSpan(loaded)));
  EXPECT_EQ(std::memcmp(loaded.data(), kernel.code, 16), 0);
}

TEST_F(LoadElfTest, ReadOnlySegmentsAreTheGuestsOwn) {
  Kernel kernel;
  kernel.program.p_offset = 4096;
  kernel.program.p_filesz = kernel.program.p_memsz = 8192 + 5;
  kernel.program.p_flags = PF_R | PF_X;
  std::vector<std::byte> file(kernel.bytes().begin(), kernel.bytes().end());
  file.resize(4096);
  file.resize(4096 + 8192 + 5, std::byte{0x5A});
  UniqueFd fd = FileWith(file);
  ASSERT_OK(LoadElf(fd.get(), GuestPhysAddr(0x100000), *memory_).status());
  EXPECT_THAT(memory_->ReadU32(GuestPhysAddr(0x100000 + 8192 + 1)),
              absl_testing::IsOkAndHolds(0x5A5A5A5Au));
  EXPECT_THAT(memory_->ReadU32(GuestPhysAddr(0x100000 + 8192 + 5)),
              absl_testing::IsOkAndHolds(0u));
  ASSERT_OK(memory_->WriteU32(GuestPhysAddr(0x100000), 0));
  char byte = 0;
  ASSERT_EQ(pread(fd.get(), &byte, 1, 4096), 1);
  EXPECT_EQ(byte, 0x5A);
}

TEST_F(LoadElfTest, SegmentMayEndWithTheLastByteOfRam) {
  Kernel kernel;
  kernel.program.p_memsz = 1 << 20;
  UniqueFd fd = FileWith(kernel.bytes());
  EXPECT_OK(LoadElf(fd.get(), GuestPhysAddr(0x100000), *memory_).status());
  kernel.program.p_memsz += 1;
  fd = FileWith(kernel.bytes());
  EXPECT_THAT(LoadElf(fd.get(), GuestPhysAddr(0x100000), *memory_),
              StatusIs(kInvalid, HasSubstr("2 MiB")));
}

TEST_F(LoadElfTest, RefusesSegmentsBelowTheFloor) {
  UniqueFd fd = FileWith(Kernel().bytes());
  EXPECT_THAT(LoadElf(fd.get(), GuestPhysAddr(0x100001), *memory_),
              StatusIs(kInvalid));
}

TEST_F(LoadElfTest, RefusesADescriptorThatIsNoFile) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  UniqueFd read(ends[0]), write(ends[1]);
  EXPECT_THAT(LoadElf(read.get(), GuestPhysAddr(0), *memory_),
              StatusIs(kInvalid, HasSubstr("regular file")));
}

}  // namespace
}  // namespace ktstr::vmm
