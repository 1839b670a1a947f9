// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "bpf/llcs.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::bpf {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LlcsTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    std::string full = JoinPath(dir_->path(), path);
    ASSERT_TRUE(MakeDirs(std::string(Dirname(full))).ok());
    ASSERT_TRUE(WriteFileAtomically(full, text + "\n").ok());
  }
  // A cache of one CPU.
  void Cache(int cpu, int index, int level, const std::string& shared) {
    std::string dir = absl::StrCat("cpu", cpu, "/cache/index", index);
    Write(dir + "/level", absl::StrCat(level));
    Write(dir + "/shared_cpu_list", shared);
  }
  void Cpus(const std::string& possible, const std::string& online) {
    Write("possible", possible);
    Write("online", online);
  }
  absl::StatusOr<Llcs> Read() { return ReadLlcs(dir_->path()); }

  absl::StatusOr<TempDir> dir_ = TempDir::Create("llcs");
};

TEST_F(LlcsTest, NumbersCachesByTheirLowestCpus) {
  Cpus("0-3", "0-3");
  for (int cpu = 0; cpu < 4; ++cpu) {
    Cache(cpu, 0, 1, absl::StrCat(cpu));
    Cache(cpu, 3, 3, cpu % 2 == 0 ? "0,2" : "1,3");
  }
  absl::StatusOr<Llcs> llcs = Read();
  ASSERT_TRUE(llcs.ok()) << llcs.status();
  EXPECT_EQ(llcs->count, 2);
  EXPECT_THAT(llcs->of_cpu, ElementsAre(0, 1, 0, 1));
}

TEST_F(LlcsTest, HighestLevelCountsWhateverItsIndex) {
  Cpus("0-1", "0-1");
  for (int cpu = 0; cpu < 2; ++cpu) {
    Cache(cpu, 0, 2, "0-1");
    Cache(cpu, 1, 1, absl::StrCat(cpu));
  }
  absl::StatusOr<Llcs> llcs = Read();
  ASSERT_TRUE(llcs.ok()) << llcs.status();
  EXPECT_THAT(llcs->of_cpu, ElementsAre(0, 0));
}

TEST_F(LlcsTest, CpusThatAreNotOnlineHavePlaces) {
  Cpus("0-4", "0,3");
  Cache(0, 0, 3, "0");
  Cache(3, 0, 3, "3");
  absl::StatusOr<Llcs> llcs = Read();
  ASSERT_TRUE(llcs.ok()) << llcs.status();
  EXPECT_EQ(llcs->count, 2);
  EXPECT_THAT(llcs->of_cpu, ElementsAre(0, 0, 0, 1, 0));
}

TEST_F(LlcsTest, CpuWithoutCachesIsNamed) {
  Cpus("0-1", "0-1");
  Cache(0, 0, 3, "0");
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("cpu1")));
}

TEST_F(LlcsTest, LevelThatIsNoNumberIsQuoted) {
  Cpus("0", "0");
  Write("cpu0/cache/index0/level", "top");
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("\"top\" is no level")));
}

TEST_F(LlcsTest, OnlineCpuBeyondThePossibleOnesIsRefused) {
  Cpus("0", "0-1");
  Cache(0, 0, 3, "0");
  Cache(1, 0, 3, "1");
  EXPECT_THAT(Read(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("CPU 1")));
}

}  // namespace
}  // namespace ktstr::bpf
