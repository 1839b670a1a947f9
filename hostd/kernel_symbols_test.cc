// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/kernel_symbols.h"

#include <elf.h>
#include <string.h>

#include <string>
#include <utility>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

template <typename Record>
void Append(const Record& record, std::string& out) {
  // SAFETY: a plain record of the ELF format, as bytes.
  out.append(reinterpret_cast<const char*>(&record), sizeof(record));
}

Elf64_Sym Symbol(uint32_t name, uint64_t value, int type) {
  Elf64_Sym symbol = {};
  symbol.st_name = name;
  symbol.st_value = value;
  symbol.st_size = 8;
  symbol.st_info = ELF64_ST_INFO(STB_LOCAL, type);
  return symbol;
}

// One segment at 16 MiB that holds "timeout" and "stamp"; "code" is a function
// and "far" lies outside.
std::string MakeImage() {
  constexpr uint64_t kBase = 0xffffffff81000000;
  const std::string names("\0timeout\0stamp\0code\0far\0", 25);
  std::string symbols;
  Append(Elf64_Sym{}, symbols);
  Append(Symbol(15, kBase, STT_FUNC), symbols);
  Append(Symbol(1, kBase + 0x10, STT_OBJECT), symbols);
  Append(Symbol(9, kBase + 0x20, STT_OBJECT), symbols);
  Append(Symbol(20, kBase + 0xffc, STT_OBJECT), symbols);
  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = EM_X86_64;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_phnum = 1;
  header.e_shnum = 3;
  header.e_phoff = sizeof(header);
  header.e_shoff = header.e_phoff + sizeof(Elf64_Phdr);
  const uint64_t data = header.e_shoff + 3 * sizeof(Elf64_Shdr);
  Elf64_Phdr segment = {};
  segment.p_type = PT_LOAD;
  segment.p_vaddr = kBase;
  segment.p_paddr = 0x1000000;
  segment.p_memsz = 0x1000;
  Elf64_Shdr table = {};
  table.sh_type = SHT_SYMTAB;
  table.sh_link = 2;
  table.sh_offset = data;
  table.sh_size = symbols.size();
  Elf64_Shdr strings = {};
  strings.sh_type = SHT_STRTAB;
  strings.sh_offset = data + symbols.size();
  strings.sh_size = names.size();
  std::string image;
  Append(header, image);
  Append(segment, image);
  Append(Elf64_Shdr{}, image);
  Append(table, image);
  Append(strings, image);
  return image + symbols + names;
}

TEST(KernelSymbolsTest, AddressesAreThoseOfTheLoadedImage) {
  ASSERT_OK_AND_ASSIGN(std::vector<KernelVariable> found,
                       FindKernelVariables(MakeImage(), {"stamp", "timeout"}));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].guest_physical, 0x1000020u);
  EXPECT_EQ(found[1].guest_physical, 0x1000010u);
  EXPECT_EQ(found[1].size_bytes, 8u);
}

TEST(KernelSymbolsTest, NamesWhatIsNotThere) {
  const std::string image = MakeImage();
  EXPECT_THAT(FindKernelVariables(image, {"timeout", "scx_x"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("scx_x")));
  // Only a part of a name, and a function.
  EXPECT_THAT(FindKernelVariables(image, {"time"}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(FindKernelVariables(image, {"code"}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(
      FindKernelVariables(image, {"far"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("in no segment")));
  EXPECT_THAT(FindKernelVariables("#!/bin/sh", {"x"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(KernelSymbolsTest, CutImagesAreErrorsOrComplete) {
  const std::string image = MakeImage();
  for (size_t size = 0; size < image.size(); ++size) {
    auto found = FindKernelVariables(image.substr(0, size), {"timeout"});
    if (found.ok()) {
      EXPECT_EQ((*found)[0].guest_physical, 0x1000010u);
    }
  }
}

TEST(KernelSymbolsTest, ReadsFiles) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("kernel_symbols"));
  const std::string path = JoinPath(dir.path(), "vmlinux");
  ASSERT_OK(WriteFileAtomically(path, MakeImage()));
  EXPECT_OK(FindKernelVariablesInFile(path, {"timeout"}).status());
  EXPECT_FALSE(FindKernelVariablesInFile(path + "x", {"timeout"}).ok());
}

}  // namespace
}  // namespace ktstr::hostd
