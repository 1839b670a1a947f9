// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/initramfs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Parsed {
  std::string name;
  uint32_t mode = 0;
  uint32_t rdev_major = 0;
  uint32_t rdev_minor = 0;
  std::string content;
};

uint32_t Hex(const std::string& archive, size_t at) {
  return strtoul(archive.substr(at, 8).c_str(), nullptr, 16);
}

size_t Align4(size_t at) { return (at + 3) & ~size_t{3}; }

// An independent reader, after the kernel's rules: zeros between archives are
// skipped, entries start at multiples of 4.
std::vector<Parsed> Parse(const std::string& archive) {
  std::vector<Parsed> entries;
  size_t at = 0;
  while (at < archive.size()) {
    if (archive[at] == '\0') {
      ++at;
      continue;
    }
    EXPECT_EQ(at % 4, 0u);
    EXPECT_EQ(archive.substr(at, 6), "070701");
    if (archive.substr(at, 6) != "070701") return entries;
    Parsed entry;
    entry.mode = Hex(archive, at + 6 + 8);
    uint32_t size = Hex(archive, at + 6 + 6 * 8);
    entry.rdev_major = Hex(archive, at + 6 + 9 * 8);
    entry.rdev_minor = Hex(archive, at + 6 + 10 * 8);
    uint32_t name_size = Hex(archive, at + 6 + 11 * 8);
    entry.name = archive.substr(at + 110, name_size - 1);
    EXPECT_EQ(archive[at + 110 + name_size - 1], '\0');
    at = Align4(at + 110 + name_size);
    entry.content = archive.substr(at, size);
    at = Align4(at + size);
    entries.push_back(entry);
  }
  return entries;
}

std::vector<std::string> Names(const std::string& archive) {
  std::vector<std::string> names;
  for (const Parsed& entry : Parse(archive)) names.push_back(entry.name);
  return names;
}

class InitramfsTest : public ::testing::Test {
 protected:
  InitramfsTest()
      : dir_(*TempDir::Create("initramfs_test")),
        fd_(memfd_create("archive", MFD_CLOEXEC)) {}

  std::string Path(absl::string_view name) {
    return JoinPath(dir_.path(), name);
  }
  std::string Write(absl::string_view name, const std::string& bytes) {
    EXPECT_OK(WriteFileAtomically(Path(name), bytes));
    return Path(name);
  }
  std::string Archive() {
    lseek(fd_.get(), 0, SEEK_SET);
    return *ReadAll(fd_.get());
  }

  TempDir dir_;
  UniqueFd fd_;
};

TEST_F(InitramfsTest, EveryKindComesBack) {
  CpioWriter writer(fd_.get());
  ASSERT_OK(writer.AddFile("/a/b/file", "12345", 0755));
  ASSERT_OK(writer.AddSymlink("/a/link", "b/file"));
  ASSERT_OK(writer.AddCharDevice("/dev/console", 5, 1));
  ASSERT_OK(writer.AddFileFromPath("/copy", Write("src", "streamed")));
  ASSERT_OK(writer.Finish());
  std::string archive = Archive();
  EXPECT_EQ(archive.size() % 4096, 0u);
  EXPECT_EQ(archive.size(), writer.size_bytes());
  EXPECT_THAT(Names(archive),
              ElementsAre("a", "a/b", "a/b/file", "a/link", "dev",
                          "dev/console", "copy", "TRAILER!!!"));
  std::map<std::string, Parsed> by_name;
  for (const Parsed& entry : Parse(archive)) by_name[entry.name] = entry;
  EXPECT_EQ(by_name["a/b"].mode, uint32_t{S_IFDIR | 0755});
  EXPECT_EQ(by_name["a/b/file"].mode, uint32_t{S_IFREG | 0755});
  EXPECT_EQ(by_name["a/b/file"].content, "12345");
  EXPECT_EQ(by_name["a/link"].mode, uint32_t{S_IFLNK | 0777});
  EXPECT_EQ(by_name["a/link"].content, "b/file");
  EXPECT_EQ(by_name["dev/console"].mode, uint32_t{S_IFCHR | 0600});
  EXPECT_EQ(by_name["dev/console"].rdev_major, 5u);
  EXPECT_EQ(by_name["dev/console"].rdev_minor, 1u);
  EXPECT_EQ(by_name["copy"].content, "streamed");
}

TEST_F(InitramfsTest, HostilePathsAreRefusedAndWriteNothing) {
  CpioWriter writer(fd_.get());
  for (const std::string& path :
       {std::string(""), std::string("relative"), std::string("/"),
        std::string("/a/../etc"), std::string("/a//b"), std::string("/./a"),
        std::string("/a/"), std::string("/TRAILER!!!"), std::string("/a\0b", 4),
        "/" + std::string(256, 'x'), std::string(600, '/') + "x",
        "/" + std::string(2000, 'x')}) {
    EXPECT_THAT(writer.AddFile(path, "x"),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << path;
  }
  EXPECT_EQ(writer.size_bytes(), 0u);
}

TEST_F(InitramfsTest, DuplicatesAndFilesBelowFilesAreRefused) {
  CpioWriter writer(fd_.get());
  ASSERT_OK(writer.AddFile("/a", "x"));
  EXPECT_THAT(writer.AddFile("/a", "y"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("/a")));
  EXPECT_THAT(writer.AddDirectory("/a"),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(writer.AddFile("/a/b/c", "y"),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(writer.AddDirectory("/d"));
  EXPECT_OK(writer.AddDirectory("/d"));
  EXPECT_THAT(writer.AddFile("/d", "y"),
              StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK(writer.Finish());
  EXPECT_THAT(writer.AddFile("/late", ""),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Names(Archive()), ElementsAre("a", "d", "TRAILER!!!"));
}

TEST_F(InitramfsTest, SourceMustBeARegularFile) {
  CpioWriter writer(fd_.get());
  EXPECT_THAT(writer.AddFileFromPath("/a", "/dev/zero"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(writer.AddFileFromPath("/a", Path("none")),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(InitramfsTest, TailEndsWithTheSentinel) {
  InitramfsTail tail;
  tail.suite = Write("suite", "SUITE");
  tail.scheduler = Write("sched", "SCHED");
  tail.files = {{Write("libc", "LIBC"), "/lib/libc.so.6", true},
                {Path("libc"), "/lib/libc.so.6", true}};
  tail.modules = {{Write("1", "M1"), "/ktstr/modules/vsock.ko"},
                  {Write("2", "M2"), "/ktstr/modules/virtio.ko"}};
  ASSERT_OK(WriteInitramfsTail(tail, fd_.get()));
  std::string archive = Archive();
  EXPECT_THAT(
      Names(archive),
      ElementsAre("ktstr", "ktstr/modules", "ktstr/modules/vsock.ko",
                  "ktstr/modules/virtio.ko", "ktstr/modules/order", "lib",
                  "lib/libc.so.6", "ktstr/suite", "ktstr/scheduler",
                  "ktstr/.initramfs-complete", "TRAILER!!!"));
  EXPECT_EQ(Parse(archive)[4].content,
            "/ktstr/modules/vsock.ko\n/ktstr/modules/virtio.ko\n");
}

TEST_F(InitramfsTest, TailRefusesPathsThatBelongToGuestd) {
  InitramfsTail tail;
  tail.suite = Write("suite", "SUITE");
  for (const char* path :
       {"/init", "/ktstr/x", "/dev/null", "/proc/x", "/sys", "/init/x"}) {
    tail.files = {{tail.suite, path, false}};
    EXPECT_THAT(
        WriteInitramfsTail(tail, fd_.get()),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reserved")))
        << path;
  }
  tail.files = {{tail.suite, "/lib/a", false},
                {Write("other", "x"), "/lib/a", false}};
  EXPECT_THAT(WriteInitramfsTail(tail, fd_.get()),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       HasSubstr("two different files")));
}

TEST_F(InitramfsTest, BaseIsCachedByContent) {
  std::string guestd = Write("guestd", std::string(10000, 'g'));
  ASSERT_OK_AND_ASSIGN(std::string first, BaseInitramfs(guestd, Path("cache")));
  ASSERT_OK_AND_ASSIGN(std::string again, BaseInitramfs(guestd, Path("cache")));
  EXPECT_EQ(first, again);
  ASSERT_OK_AND_ASSIGN(std::string archive, ReadFile(first));
  EXPECT_EQ(archive.size() % 4096, 0u);
  EXPECT_THAT(Names(archive),
              ElementsAre("dev", "dev/console", "dev/null", "proc", "sys",
                          "tmp", "run", "root", "init", "TRAILER!!!"));
  Write("guestd", "changed");
  ASSERT_OK_AND_ASSIGN(std::string other, BaseInitramfs(guestd, Path("cache")));
  EXPECT_NE(first, other);
  EXPECT_THAT(ListDir(Path("cache/initramfs")),
              IsOkAndHolds(::testing::SizeIs(2)));
}

TEST_F(InitramfsTest, CpioProgramListsBothArchivesInOne) {
  if (!FileExists("/usr/bin/cpio")) GTEST_SKIP() << "cpio is not installed";
  std::string guestd = Write("guestd", "GUESTD");
  ASSERT_OK_AND_ASSIGN(std::string base, BaseInitramfs(guestd, Path("cache")));
  InitramfsTail tail;
  tail.suite = Write("suite", "SUITE");
  ASSERT_OK(WriteInitramfsTail(tail, fd_.get()));
  for (const std::string& archive : {*ReadFile(base), Archive()}) {
    std::string path = Write("one.cpio", archive);
    ASSERT_OK_AND_ASSIGN(
        CommandOutput output,
        RunCommand({.argv = {"cpio", "-t", "-F", path}}, absl::Seconds(30)));
    EXPECT_TRUE(output.exit.ok()) << output.err;
    EXPECT_TRUE(absl::StrContains(output.out, "init")) << output.out;
  }
}

}  // namespace
}  // namespace ktstr::hostd
