// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/cache.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kconfig/fragments.h"
#include "kernel/image.h"
#include "kernel/testing/tiny_kernel.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class KernelCacheTest : public testing::Test {
 protected:
  KernelCacheTest()
      : dir_(*TempDir::Create("kernel-cache")),
        cache_(*KernelCache::Open(JoinPath(dir_.path(), "kernels"))) {}

  // Stores an entry whose vmlinux is `image`.
  absl::StatusOr<KernelEntry> Store(const std::string& key,
                                    const std::string& version,
                                    int64_t built_at,
                                    const std::string& image = "image",
                                    std::string fragments_hash = "") {
    auto work = cache_.MakeWorkDir(key);
    EXPECT_OK(work.status());
    std::string staged = JoinPath(work->path(), "entry");
    EXPECT_OK(MakeDirs(JoinPath(staged, "schedulers")));
    EXPECT_OK(WriteFileAtomically(JoinPath(staged, "vmlinux"), image));
    EXPECT_OK(WriteFileAtomically(JoinPath(staged, "config"), "CONFIG_A=y\n"));
    EXPECT_OK(WriteFileAtomically(JoinPath(staged, "schedulers/scx_simple"),
                                  "program", 0755));
    if (fragments_hash.empty()) {
      fragments_hash = kconfig::FragmentsHash(kconfig::EmbeddedFragments());
    }
    return cache_.Store(key, staged,
                        {.version = version,
                         .source = "tarball",
                         .arch = "x86_64",
                         .fragments_hash = fragments_hash,
                         .built_at = absl::FromUnixSeconds(built_at),
                         .build_time = absl::Milliseconds(1500),
                         .objects = 42});
  }

  std::vector<std::string> KeysInOrder() {
    std::vector<std::string> keys;
    absl::StatusOr<std::vector<ListedKernel>> all = cache_.List();
    EXPECT_OK(all.status());
    if (!all.ok()) return keys;
    for (const ListedKernel& listed : *all) {
      keys.push_back(listed.entry.key);
    }
    return keys;
  }

  TempDir dir_;
  KernelCache cache_;
};

TEST_F(KernelCacheTest, FindsWhatWasStored) {
  ASSERT_OK(Store("6.12.117-tarball", "6.12.117", 1000).status());
  ASSERT_OK_AND_ASSIGN(KernelEntry entry, cache_.Find("6.12.117-tarball"));
  EXPECT_EQ(entry.metadata.version, "6.12.117");
  EXPECT_EQ(entry.metadata.image_bytes, 5u);
  EXPECT_EQ(entry.metadata.image_sha256.size(), 64u);
  EXPECT_EQ(entry.metadata.built_at, absl::FromUnixSeconds(1000));
  EXPECT_EQ(entry.metadata.build_time, absl::Milliseconds(1500));
  EXPECT_EQ(entry.metadata.objects, 42);
  EXPECT_THAT(ReadFile(entry.vmlinux_path), IsOkAndHolds("image"));
  EXPECT_THAT(entry.schedulers, ElementsAre(EndsWith("schedulers/scx_simple")));
}

TEST_F(KernelCacheTest, LeavesNoWorkDirectoryBehind) {
  ASSERT_OK(Store("k", "6.12", 1).status());
  ASSERT_OK(Store("k", "6.12", 2).status());
  EXPECT_THAT(ListDir(cache_.root()),
              IsOkAndHolds(ElementsAre(".images", ".locks", "k")));
}

TEST_F(KernelCacheTest, ReplacesAnEntryAtOnce) {
  ASSERT_OK(Store("k", "6.12.1", 1, "old").status());
  ASSERT_OK(Store("k", "6.12.2", 2, "newer").status());
  ASSERT_OK_AND_ASSIGN(KernelEntry entry, cache_.Find("k"));
  EXPECT_EQ(entry.metadata.version, "6.12.2");
  EXPECT_THAT(ReadFile(entry.vmlinux_path), IsOkAndHolds("newer"));
}

TEST_F(KernelCacheTest, RefusesToStoreNothing) {
  ASSERT_OK(Store("k", "6.12.1", 1, "old").status());
  ASSERT_OK_AND_ASSIGN(WorkDir work, cache_.MakeWorkDir("k"));
  EXPECT_THAT(cache_.Store("k", work.path(), {}),
              StatusIs(absl::StatusCode::kInternal));
  EXPECT_OK(cache_.Find("k").status());
}

TEST_F(KernelCacheTest, MissingKeyNamesTheCommands) {
  EXPECT_THAT(cache_.Find("nope"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("ktstrctl kernel build")));
}

TEST_F(KernelCacheTest, RefusesKeysThatLeaveTheCache) {
  for (const char* key : {"", "..", ".locks", "a/b", "a b", "../x"}) {
    EXPECT_THAT(cache_.Find(key), StatusIs(absl::StatusCode::kInvalidArgument))
        << key;
    EXPECT_FALSE(cache_.Remove(key).ok()) << key;
  }
}

TEST_F(KernelCacheTest, SaysWhatIsCorrupt) {
  struct Case {
    const char* damaged_file;
    const char* content;  // null: removed
    const char* problem;
  };
  for (const Case& one :
       {Case{"vmlinux", "ima", "truncated: 3 bytes of 5"},
        Case{"vmlinux", nullptr, "vmlinux is missing"},
        Case{"config", nullptr, "config is missing"},
        Case{"metadata.json", nullptr, "metadata.json is missing"},
        Case{"metadata.json", "{", "not one JSON object"},
        Case{"metadata.json", "{\"version\":7}", "\"version\" must be"}}) {
    ASSERT_OK_AND_ASSIGN(KernelEntry entry, Store("k", "6.12", 1));
    std::string path = JoinPath(entry.dir, one.damaged_file);
    if (one.content != nullptr) {
      ASSERT_OK(WriteFileAtomically(path, one.content));
    } else {
      ASSERT_OK(RemoveTree(path));
    }
    EXPECT_THAT(cache_.Find("k"),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(one.problem)));
    ASSERT_OK_AND_ASSIGN(std::vector<ListedKernel> all, cache_.List());
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].state, ListedKernel::State::kCorrupt);
    EXPECT_THAT(all[0].problem, HasSubstr(one.problem));
    EXPECT_THAT(cache_.FindVersion({.major = 6, .minor = 12}),
                StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST_F(KernelCacheTest, ListsNewestFirstAndCorruptLast) {
  ASSERT_OK(Store("a", "6.12", 3).status());
  ASSERT_OK(Store("b", "6.13", 1).status());
  ASSERT_OK(Store("c", "6.14", 2).status());
  ASSERT_OK(MakeDirs(JoinPath(cache_.root(), "broken")));
  EXPECT_THAT(KeysInOrder(), ElementsAre("a", "c", "b", "broken"));
}

TEST_F(KernelCacheTest, SeriesFindsTheHighestPatchOfThisProgramsFragments) {
  ASSERT_OK(Store("a", "6.12.9", 5).status());
  ASSERT_OK(Store("b", "6.12.117", 1).status());
  ASSERT_OK(Store("c", "6.12.200", 9, "image", "00000000").status());
  ASSERT_OK(Store("d", "6.13.1", 9).status());
  ASSERT_OK_AND_ASSIGN(KernelEntry entry,
                       cache_.FindVersion({.major = 6, .minor = 12}));
  EXPECT_EQ(entry.key, "b");
  ASSERT_OK_AND_ASSIGN(
      entry, cache_.FindVersion({.major = 6, .minor = 12, .patch = 200}));
  EXPECT_EQ(entry.key, "c");
  EXPECT_THAT(
      cache_.FindVersion({.major = 6, .minor = 14}),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("kernel build 6.14")));
}

TEST_F(KernelCacheTest, RemoveTakesTheWholeEntry) {
  ASSERT_OK(Store("k", "6.12", 1).status());
  ASSERT_OK(cache_.Remove("k"));
  ASSERT_OK(cache_.Remove("k"));
  EXPECT_THAT(ListDir(cache_.root()),
              IsOkAndHolds(ElementsAre(".images", ".locks")));
}

TEST_F(KernelCacheTest, RemoveLeavesAnEntryThatIsBeingBuilt) {
  ASSERT_OK(Store("k", "6.12", 1).status());
  ASSERT_OK_AND_ASSIGN(KeyLock lock, cache_.TryLock("k"));
  EXPECT_THAT(cache_.Remove("k"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_OK(cache_.Find("k").status());
}

TEST_F(KernelCacheTest, SweepTakesOnlyWorkOfTheDead) {
  ASSERT_OK_AND_ASSIGN(WorkDir alive, cache_.MakeWorkDir("alive"));
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    absl::StatusOr<WorkDir> work = cache_.MakeWorkDir("dead");
    bool is_made = work.ok() && MakeDirs(work->path() + "/tree/a/b").ok();
    char byte = is_made ? 1 : 0;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 1);
  EXPECT_THAT(cache_.Sweep(), IsOkAndHolds(0));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(cache_.Sweep(), IsOkAndHolds(1));
  EXPECT_TRUE(FileExists(alive.path()));
  EXPECT_THAT(cache_.List(), IsOkAndHolds(testing::IsEmpty()));
}

TEST_F(KernelCacheTest, UnpacksAnImageOnce) {
  std::string elf = MakeTinyVmlinux({.debug_bytes = 100000});
  std::string image = MakeBzImage(Pack(elf, Packing::kZstd));
  ASSERT_OK_AND_ASSIGN(std::string path, cache_.UnpackedImage(image));
  ASSERT_OK_AND_ASSIGN(std::string expected, StripDebug(elf));
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(expected));
  EXPECT_THAT(cache_.UnpackedImage(image), IsOkAndHolds(path));
  EXPECT_THAT(cache_.UnpackedImage("text"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ListDir(JoinPath(cache_.root(), ".images")),
              IsOkAndHolds(testing::SizeIs(1)));
}

}  // namespace
}  // namespace ktstr::kernel
