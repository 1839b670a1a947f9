// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/result_directory.h"

#include <optional>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"

namespace ktstr::results {
namespace {

using ::nlohmann::json;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ResultDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<TempDir> temp = TempDir::Create("results-test");
    ASSERT_OK(temp);
    temp_.emplace(std::move(*temp));
  }

  ResultDirectory MakeDirectory() {
    auto directory = ResultDirectory::Create(
        temp_->path(), {.run_id = "r1", .run_source = "local"}, &clock_);
    EXPECT_OK(directory);
    return *std::move(directory);
  }

  static v1::Variant MakeVariant(int64_t index, const std::string& name) {
    v1::Variant variant;
    variant.set_index(index);
    variant.mutable_spec()->set_name(name);
    variant.mutable_result()->set_outcome(v1::PASS);
    return variant;
  }

  static std::vector<std::string> Names(const std::string& dir) {
    auto names = ListDir(dir);
    EXPECT_OK(names);
    return names.ok() ? *names : std::vector<std::string>();
  }

  static json ReadJson(const std::string& path) {
    auto text = ReadFile(path);
    EXPECT_OK(text);
    return json::parse(text.ok() ? *text : "", nullptr, false);
  }

  std::optional<TempDir> temp_;
  FakeClock clock_;
};

TEST_F(ResultDirectoryTest, IsFreshForEachRun) {
  ResultDirectory one = MakeDirectory();
  ResultDirectory two = MakeDirectory();
  EXPECT_THAT(one.path(), EndsWith("/20010909T014640Z-r1"));
  EXPECT_THAT(two.path(), EndsWith("/20010909T014640Z-r1-2"));
}

TEST_F(ResultDirectoryTest, WritesResultAndLogs) {
  ResultDirectory directory = MakeDirectory();
  v1::Variant variant = MakeVariant(0, "gauntlet/steady/tiny-1llc/default");
  std::string bytes("\x1b\0\xff", 3);
  variant.mutable_result()->set_console_tail(bytes);
  ASSERT_OK(directory.Add(variant));
  std::vector<std::string> names = Names(directory.path());
  ASSERT_THAT(names, ElementsAre(EndsWith(".console.log"),
                                 EndsWith(".ktstr.json"), "run.json"));
  EXPECT_THAT(ReadFile(JoinPath(directory.path(), names[0])),
              absl_testing::IsOkAndHolds(bytes));
  json out = ReadJson(JoinPath(directory.path(), names[1]));
  EXPECT_EQ(out["logs"]["console"], names[0]);
  EXPECT_EQ(out["outcome"], "PASS");
  EXPECT_THAT(names[1], HasSubstr("gauntlet_steady_tiny-1llc_default-"));
}

TEST_F(ResultDirectoryTest, SecondResultOfAVariantChangesNothing) {
  ResultDirectory directory = MakeDirectory();
  v1::Variant variant = MakeVariant(0, "ktstr/a");
  ASSERT_OK(directory.Add(variant));
  variant.mutable_result()->set_outcome(v1::FAIL);
  ASSERT_OK(directory.Add(variant));
  std::vector<std::string> names = Names(directory.path());
  ASSERT_THAT(names, SizeIs(2));
  EXPECT_EQ(ReadJson(JoinPath(directory.path(), names[0]))["outcome"], "PASS");
}

TEST_F(ResultDirectoryTest, VariantsThatLookAlikeKeepTheirOwnFiles) {
  ResultDirectory directory = MakeDirectory();
  ASSERT_OK(directory.Add(MakeVariant(0, "ktstr/a b")));
  ASSERT_OK(directory.Add(MakeVariant(1, "ktstr/a/b")));
  ASSERT_OK(directory.Add(MakeVariant(2, "ktstr/a b")));
  EXPECT_THAT(Names(directory.path()), SizeIs(4));
}

TEST_F(ResultDirectoryTest, SummaryListsWhatWasWritten) {
  ResultDirectory directory = MakeDirectory();
  EXPECT_EQ(ReadJson(JoinPath(directory.path(), "run.json"))["is_finished"],
            false);
  ASSERT_OK(directory.Add(MakeVariant(7, "ktstr/a")));
  v1::Run run;
  run.set_is_finished(true);
  run.mutable_counts()->set_passed(1);
  v1::Exclusion& exclusion = *run.add_excluded();
  exclusion.set_variant("gauntlet/a/max-cpu/default");
  exclusion.set_reason("252 CPUs, at most 192");
  ASSERT_OK(directory.WriteSummary(run));
  json out = ReadJson(JoinPath(directory.path(), "run.json"));
  EXPECT_EQ(out["is_finished"], true);
  EXPECT_EQ(out["counts"]["passed"], 1);
  EXPECT_EQ(out["variants"][0]["index"], 7);
  EXPECT_EQ(out["variants"][0]["outcome"], "PASS");
  EXPECT_EQ(out["excluded"][0]["reason"], "252 CPUs, at most 192");
  EXPECT_TRUE(FileExists(JoinPath(
      directory.path(), out["variants"][0]["file"].get<std::string>())));
}

TEST_F(ResultDirectoryTest, CheckWritableLeavesNothing) {
  EXPECT_OK(CheckWritable(JoinPath(temp_->path(), "not/there/yet")));
  EXPECT_THAT(Names(temp_->path()), IsEmpty());
  ASSERT_OK(WriteFileAtomically(JoinPath(temp_->path(), "file"), ""));
  EXPECT_THAT(CheckWritable(JoinPath(temp_->path(), "file/below")).message(),
              HasSubstr("file"));
  EXPECT_FALSE(CheckWritable("/proc/ktstr-results").ok());
}

}  // namespace
}  // namespace ktstr::results
