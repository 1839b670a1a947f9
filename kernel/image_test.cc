// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/image.h"

#include <elf.h>

#include <cstring>
#include <string>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kernel/testing/tiny_kernel.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

template <typename T>
T Peek(const std::string& bytes, size_t offset) {
  T value = {};
  memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

template <typename T>
void Poke(std::string& bytes, size_t offset, const T& value) {
  memcpy(bytes.data() + offset, &value, sizeof(value));
}

TEST(RecogniseImageTest, KnowsBothKinds) {
  EXPECT_THAT(RecogniseImage(MakeTinyVmlinux()), IsOkAndHolds(ImageKind::kElf));
  EXPECT_THAT(RecogniseImage(MakeBzImage("x")),
              IsOkAndHolds(ImageKind::kBzImage));
}

TEST(RecogniseImageTest, SaysWhatItFoundInstead) {
  auto refuses = [](absl::string_view bytes, const char* found) {
    EXPECT_THAT(RecogniseImage(bytes),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(found)));
  };
  refuses("", "an empty file");
  refuses("#!/bin/sh\necho hello\n", "text");
  refuses(absl::string_view("\x00\x01\x02\xff", 4), "something else");
  refuses(
      "\x7f"
      "ELF",
      "a cut ELF");
  std::string arm = MakeTinyVmlinux();
  Poke(arm, offsetof(Elf64_Ehdr, e_machine), uint16_t{EM_AARCH64});
  refuses(arm, "another architecture");
  std::string object = MakeTinyVmlinux();
  Poke(object, offsetof(Elf64_Ehdr, e_type), uint16_t{ET_REL});
  refuses(object, "not executable");
}

class ExtractTest : public testing::TestWithParam<Packing> {};

TEST_P(ExtractTest, UnpacksThePayload) {
  // More than one lz4 block.
  std::string elf = MakeTinyVmlinux({.debug_bytes = 9u << 20});
  EXPECT_THAT(ExtractVmlinux(MakeBzImage(Pack(elf, GetParam()))),
              IsOkAndHolds(elf));
}

TEST_P(ExtractTest, RefusesEveryCutOfThePayload) {
  std::string packed = Pack(MakeTinyVmlinux(), GetParam());
  for (size_t size = 1; size + 8 < packed.size(); size += 13) {
    EXPECT_THAT(ExtractVmlinux(MakeBzImage(packed.substr(0, size))),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << size << " of " << packed.size();
  }
}

TEST_P(ExtractTest, SurvivesFlippedBytes) {
  std::string packed = Pack(MakeTinyVmlinux(), GetParam());
  for (size_t at = 0; at < packed.size(); at += 5) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
    absl::StatusOr<std::string> elf = ExtractVmlinux(MakeBzImage(damaged));
    // A flip may go unnoticed where a format has no checksum; it must not
    // crash, and what comes out must still have been recognised.
    if (elf.ok()) {
      EXPECT_OK(RecogniseImage(*elf).status());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Packings, ExtractTest,
                         testing::Values(Packing::kGzip, Packing::kXz,
                                         Packing::kLz4, Packing::kZstd));

TEST(ExtractVmlinuxTest, NamesCompressionsItDoesNotKnow) {
  EXPECT_THAT(ExtractVmlinux(MakeBzImage("BZh9...")),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("bzip2")));
  EXPECT_THAT(
      ExtractVmlinux(MakeBzImage("????????")),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown")));
}

TEST(ExtractVmlinuxTest, RefusesAPayloadOutsideTheFile) {
  for (uint32_t offset : {0u, 0x40u, 0x7fffffffu, 0xffffffffu}) {
    std::string image = MakeBzImage(Pack(MakeTinyVmlinux(), Packing::kGzip));
    Poke(image, 0x248, offset);
    Poke(image, 0x24c, 0xffffffffu);
    EXPECT_THAT(ExtractVmlinux(image),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("outside the file")));
  }
  EXPECT_THAT(ExtractVmlinux(MakeBzImage("")),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ExtractVmlinuxTest, RefusesAPayloadThatIsNoKernel) {
  EXPECT_THAT(
      ExtractVmlinux(MakeBzImage(Pack("hello", Packing::kGzip))),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no x86-64 ELF")));
}

TEST(StripDebugTest, DropsDebugAndKeepsTheRest) {
  std::string with = MakeTinyVmlinux({.debug_bytes = 1u << 20});
  ASSERT_TRUE(HasDebugSections(with));
  ASSERT_OK_AND_ASSIGN(std::string stripped, StripDebug(with));
  EXPECT_FALSE(HasDebugSections(stripped));
  EXPECT_LT(stripped.size(), 8192u);
  EXPECT_EQ(stripped.find("DDDD"), std::string::npos);
  EXPECT_NE(stripped.find("jiffies"), std::string::npos);
  EXPECT_THAT(KernelRelease(stripped), IsOkAndHolds("6.12.117"));

  // Segments did not move, and every section left is where its header says.
  auto before = Peek<Elf64_Phdr>(with, sizeof(Elf64_Ehdr));
  auto after = Peek<Elf64_Phdr>(stripped, sizeof(Elf64_Ehdr));
  EXPECT_EQ(memcmp(&before, &after, sizeof(before)), 0);
  EXPECT_EQ(with.substr(after.p_offset, after.p_filesz),
            stripped.substr(after.p_offset, after.p_filesz));
  auto header = Peek<Elf64_Ehdr>(stripped, 0);
  ASSERT_EQ(header.e_shnum, 7);
  auto symtab =
      Peek<Elf64_Shdr>(stripped, header.e_shoff + 4 * sizeof(Elf64_Shdr));
  ASSERT_EQ(symtab.sh_type, uint32_t{SHT_SYMTAB});
  auto symbol = Peek<Elf64_Sym>(stripped, symtab.sh_offset + sizeof(Elf64_Sym));
  EXPECT_EQ(symbol.st_value, 0xffffffff81000040u);
  auto strtab = Peek<Elf64_Shdr>(
      stripped, header.e_shoff + symtab.sh_link * sizeof(Elf64_Shdr));
  EXPECT_STREQ(stripped.c_str() + strtab.sh_offset + symbol.st_name, "jiffies");
}

TEST(StripDebugTest, IsIdempotent) {
  ASSERT_OK_AND_ASSIGN(std::string once,
                       StripDebug(MakeTinyVmlinux({.debug_bytes = 9999})));
  ASSERT_OK_AND_ASSIGN(std::string twice, StripDebug(once));
  EXPECT_EQ(once.size(), twice.size());
}

TEST(StripDebugTest, RefusesTablesAndSectionsOutsideTheFile) {
  std::string elf = MakeTinyVmlinux({.debug_bytes = 100});
  auto header = Peek<Elf64_Ehdr>(elf, 0);
  std::string bad = elf;
  Poke(bad, offsetof(Elf64_Ehdr, e_shoff), ~uint64_t{0});
  EXPECT_THAT(StripDebug(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  bad = elf;
  Poke(bad, offsetof(Elf64_Ehdr, e_phoff), ~uint64_t{0} - 8);
  EXPECT_THAT(StripDebug(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  bad = elf;
  Poke(bad, header.e_shoff + sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size),
       ~uint64_t{0});
  EXPECT_THAT(StripDebug(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  bad = elf;
  Poke(bad, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_filesz), ~uint64_t{0});
  EXPECT_THAT(StripDebug(bad), StatusIs(absl::StatusCode::kInvalidArgument));
}

// To strip it would change its segments.
TEST(StripDebugTest, RefusesSegmentsWithinTheHeader) {
  std::string bad = MakeTinyVmlinux({.debug_bytes = 100});
  Poke(bad, offsetof(Elf64_Ehdr, e_phoff), uint64_t{32});
  // Such a segment that is empty lies within any file.
  Poke(bad, 32 + offsetof(Elf64_Phdr, p_filesz), uint64_t{0});
  EXPECT_THAT(StripDebug(bad), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("within the ELF header")));
}

TEST(StripDebugTest, SurvivesEveryFlippedHeaderByte) {
  std::string elf = MakeTinyVmlinux({.debug_bytes = 100});
  size_t kept = 0;
  for (size_t at = 0; at < elf.size(); ++at) {
    std::string damaged = elf;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
    kept += StripDebug(damaged).ok() ? 1 : 0;
  }
  EXPECT_LT(kept, elf.size());
}

TEST(KernelReleaseTest, SkipsFormatStrings) {
  EXPECT_THAT(KernelRelease("Linux version %s Linux version 6.13-rc2 (x"),
              IsOkAndHolds("6.13-rc2"));
  EXPECT_THAT(KernelRelease("Linux version 6.12"),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace ktstr::kernel
