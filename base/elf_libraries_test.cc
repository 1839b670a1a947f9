// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/elf_libraries.h"

#include <elf.h>
#include <string.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A dynamic ELF file as the linker would lay it out: header, two or three
// program headers, strings, dynamic section; virtual address = file offset.
struct FakeElf {
  std::string interpreter;
  std::vector<std::string> needed;
  std::string rpath;
  std::string runpath;
  uint16_t machine = EM_X86_64;
  uint16_t type = ET_DYN;
};

template <typename T>
void Append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string Build(const FakeElf& elf) {
  std::string strings(1, '\0');
  std::vector<Elf64_Dyn> entries;
  auto add = [&](int64_t tag, const std::string& text) {
    if (text.empty()) return;
    Elf64_Dyn entry = {};
    entry.d_tag = tag;
    entry.d_un.d_val = strings.size();
    entries.push_back(entry);
    strings += text + '\0';
  };
  for (const std::string& name : elf.needed) add(DT_NEEDED, name);
  add(DT_RPATH, elf.rpath);
  add(DT_RUNPATH, elf.runpath);
  uint64_t interpreter_at = strings.size();
  strings += elf.interpreter + '\0';

  uint16_t count = elf.interpreter.empty() ? 2 : 3;
  uint64_t strings_at = sizeof(Elf64_Ehdr) + count * sizeof(Elf64_Phdr);
  Elf64_Dyn table = {};
  table.d_tag = DT_STRTAB;
  table.d_un.d_ptr = strings_at;
  entries.push_back(table);
  entries.push_back({});
  uint64_t dynamic_at = strings_at + strings.size();
  uint64_t end = dynamic_at + entries.size() * sizeof(Elf64_Dyn);

  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = elf.type;
  header.e_machine = elf.machine;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = count;
  std::string out;
  Append(out, header);
  Elf64_Phdr load = {};
  load.p_type = PT_LOAD;
  load.p_filesz = load.p_memsz = end;
  Append(out, load);
  Elf64_Phdr dynamic = {};
  dynamic.p_type = PT_DYNAMIC;
  dynamic.p_offset = dynamic.p_vaddr = dynamic_at;
  dynamic.p_filesz = entries.size() * sizeof(Elf64_Dyn);
  Append(out, dynamic);
  if (count == 3) {
    Elf64_Phdr interp = {};
    interp.p_type = PT_INTERP;
    interp.p_offset = strings_at + interpreter_at;
    interp.p_filesz = elf.interpreter.size() + 1;
    Append(out, interp);
  }
  out += strings;
  for (const Elf64_Dyn& entry : entries) Append(out, entry);
  return out;
}

class ElfLibrariesTest : public ::testing::Test {
 protected:
  ElfLibrariesTest() : dir_(*TempDir::Create("elf_libraries_test")) {
    dirs_.defaults = {Path("default")};
    dirs_.configured = {Path("conf")};
  }
  std::string Path(absl::string_view name) {
    return JoinPath(dir_.path(), name);
  }
  std::string Write(absl::string_view name, const std::string& bytes) {
    std::string path = Path(name);
    EXPECT_OK(MakeDirs(std::string(Dirname(path))));
    EXPECT_OK(WriteFileAtomically(path, bytes));
    return path;
  }

  TempDir dir_;
  ElfSearchDirs dirs_;
};

MATCHER_P2(Library, host, guest, "") {
  *result_listener << arg.host_path << " -> " << arg.guest_path;
  return arg.host_path == host && arg.guest_path == guest;
}

TEST(ParseElfDynamicTest, ReadsEveryTag) {
  ASSERT_OK_AND_ASSIGN(
      ElfDynamic dynamic,
      ParseElfDynamic(Build({.interpreter = "/lib64/ld.so",
                             .needed = {"liba.so.1", "libb.so"},
                             .rpath = "/r1:/r2",
                             .runpath = "$ORIGIN/../lib"})));
  EXPECT_EQ(dynamic.interpreter, "/lib64/ld.so");
  EXPECT_THAT(dynamic.needed, ElementsAre("liba.so.1", "libb.so"));
  EXPECT_THAT(dynamic.rpath, ElementsAre("/r1", "/r2"));
  EXPECT_THAT(dynamic.runpath, ElementsAre("$ORIGIN/../lib"));
}

TEST(ParseElfDynamicTest, EveryTruncationIsAnErrorOrHarmless) {
  std::string bytes = Build({.interpreter = "/lib64/ld.so",
                             .needed = {"liba.so.1"},
                             .runpath = "/x"});
  for (size_t size = 0; size < bytes.size() - 2 * sizeof(Elf64_Dyn); ++size) {
    EXPECT_FALSE(ParseElfDynamic(bytes.substr(0, size)).ok()) << size;
  }
}

TEST(ParseElfDynamicTest, EveryCorruptedByteIsSurvived) {
  std::string bytes = Build(
      {.interpreter = "/lib64/ld.so", .needed = {"liba.so.1", "libb.so.2"}});
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (char value : {'\0', '\x7f', '\xff'}) {
      std::string hostile = bytes;
      hostile[at] = value;
      (void)ParseElfDynamic(hostile);
    }
  }
}

TEST(ParseLdSoConfTest, SeparatesDirectoriesIncludesAndComments) {
  LdSoConf conf = ParseLdSoConf(
      "# comment\ninclude /etc/ld.so.conf.d/*.conf\n/usr/local/lib # own\n"
      "  /opt/lib\nincluded\nhwcap 1 x\n");
  EXPECT_THAT(conf.dirs, ElementsAre("/usr/local/lib", "/opt/lib"));
  EXPECT_THAT(conf.includes, ElementsAre("/etc/ld.so.conf.d/*.conf"));
}

TEST_F(ElfLibrariesTest, StaticProgramNeedsNothing) {
  std::string program = Write("prog", Build({.type = ET_EXEC}));
  EXPECT_THAT(ElfLibrariesOf(program, dirs_), IsOkAndHolds(IsEmpty()));
}

TEST_F(ElfLibrariesTest, WalksBreadthFirstEachOnceInterpreterFirst) {
  std::string loader = Write("default/ld.so", Build({}));
  std::string liba = Write("default/liba.so", Build({.needed = {"libc.so"}}));
  std::string libb = Write("default/libb.so",
                           Build({.needed = {"libc.so", "ld.so", "liba.so"}}));
  std::string libc = Write("default/libc.so", Build({}));
  std::string program = Write(
      "prog", Build({.interpreter = loader, .needed = {"liba.so", "libb.so"}}));
  EXPECT_THAT(
      ElfLibrariesOf(program, dirs_),
      IsOkAndHolds(ElementsAre(Library(loader, loader), Library(liba, liba),
                               Library(libb, libb), Library(libc, libc))));
}

TEST_F(ElfLibrariesTest, OriginAndConfiguredDirectoriesAreRelocated) {
  std::string liba = Write("bin/lib/liba.so", Build({}));
  std::string libb = Write("conf/libb.so", Build({}));
  std::string libc = Write("abs/libc.so", Build({}));
  std::string program =
      Write("bin/prog", Build({.needed = {"liba.so", "libb.so", "libc.so"},
                               .runpath = "$ORIGIN/lib:" + Path("abs")}));
  EXPECT_THAT(ElfLibrariesOf(program, dirs_),
              IsOkAndHolds(ElementsAre(Library(liba, "/usr/lib/ktstr/liba.so"),
                                       Library(libb, "/usr/lib/ktstr/libb.so"),
                                       Library(libc, libc))));
}

TEST_F(ElfLibrariesTest, RunpathIsNotInheritedButRpathIs) {
  Write("own/liba.so", Build({.needed = {"libb.so"}}));
  Write("own/libb.so", Build({}));
  std::string with_rpath =
      Write("p1", Build({.needed = {"liba.so"}, .rpath = Path("own")}));
  std::string with_runpath =
      Write("p2", Build({.needed = {"liba.so"}, .runpath = Path("own")}));
  EXPECT_OK(ElfLibrariesOf(with_rpath, dirs_));
  EXPECT_THAT(ElfLibrariesOf(with_runpath, dirs_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("libb.so")));
}

TEST_F(ElfLibrariesTest, LibraryOfAnotherArchitectureIsPassedOver) {
  Write("conf/liba.so", Build({.machine = EM_AARCH64}));
  std::string liba = Write("default/liba.so", Build({}));
  std::string program = Write("prog", Build({.needed = {"liba.so"}}));
  EXPECT_THAT(ElfLibrariesOf(program, dirs_),
              IsOkAndHolds(ElementsAre(Library(liba, liba))));
}

TEST_F(ElfLibrariesTest, MissingLibraryNamesItAndWhoNeedsIt) {
  Write("default/liba.so", Build({.needed = {"libgone.so.3"}}));
  std::string program = Write("prog", Build({.needed = {"liba.so"}}));
  EXPECT_THAT(ElfLibrariesOf(program, dirs_),
              StatusIs(absl::StatusCode::kNotFound,
                       absl::StrCat("shared library libgone.so.3, needed by ",
                                    Path("default/liba.so"), ", not found")));
}

TEST_F(ElfLibrariesTest, ThisTestsOwnLibrariesAreFound) {
  ASSERT_OK_AND_ASSIGN(std::vector<ElfLibrary> libraries,
                       ElfLibrariesOf("/proc/self/exe"));
  std::vector<std::string> names;
  for (const ElfLibrary& library : libraries) {
    names.emplace_back(Basename(library.guest_path));
    EXPECT_TRUE(FileExists(library.host_path));
  }
  EXPECT_THAT(names, ::testing::Contains("libc.so.6"));
  EXPECT_THAT(names, ::testing::Contains("ld-linux-x86-64.so.2"));
}

TEST_F(ElfLibrariesTest, RefusalsAreOneClearSentence) {
  std::string text = Write("text", "#!/bin/sh\necho\n");
  EXPECT_THAT(CheckElfExecutable(text),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       text + " is not an ELF program"));
  std::string arm = Write("arm", Build({.machine = EM_AARCH64}));
  EXPECT_THAT(CheckElfExecutable(arm),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       arm + " is built for aarch64, this fleet runs x86_64"));
  std::string object = Write("o", Build({.type = ET_REL}));
  EXPECT_THAT(
      CheckElfExecutable(object),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("object file")));
  EXPECT_THAT(
      CheckElfExecutable(dir_.path()),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a directory")));
  EXPECT_THAT(CheckElfExecutable(Path("none")),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(CheckElfExecutable(Write("empty", "")),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr
