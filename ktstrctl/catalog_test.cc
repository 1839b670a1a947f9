// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// `ktstrctl scenarios` with the real catalogue.
#include <unistd.h>

#include <map>
#include <string>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstrctl/testing/command_line.h"
#include "nlohmann/json.hpp"

namespace ktstr::ktstrctl {
namespace {

using ::nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CatalogTest : public CommandLineTest {
 protected:
  void SetUp() override {
    CommandLineTest::SetUp();
    ASSERT_EQ(symlink(Built("ktstr/catalog/catalog").c_str(),
                      JoinPath(libexec_, "catalog").c_str()),
              0);
  }
};

TEST_F(CatalogTest, ListsEveryCategoryWithItsScenarios) {
  Finished run = Run({"scenarios", "--json"});
  ASSERT_EQ(run.code, 0) << run.err;
  const json listed = json::parse(run.out);
  std::map<std::string, int> count;
  for (const json& scenario : listed["scenarios"]) {
    ++count[scenario["category"]];
    EXPECT_FALSE(scenario["description"].empty()) << scenario;
  }
  EXPECT_EQ(count["curated"], 14);
  EXPECT_EQ(count["basic"], 3);
  EXPECT_EQ(count["cpuset"], 6);
  EXPECT_EQ(count["affinity"], 6);
  EXPECT_EQ(count["sched_class"], 6);
  EXPECT_EQ(count["dynamic"], 3);
  EXPECT_EQ(count["nested"], 4);
  EXPECT_EQ(count["stall"], 2);
  EXPECT_EQ(count["stress"], 17);
  EXPECT_EQ(count["advanced"], 20);
  EXPECT_EQ(count["interaction"], 9);
  EXPECT_EQ(count["performance"], 5);
}

TEST_F(CatalogTest, TableSaysWhatAScenarioNeeds) {
  Finished run = Run({"scenarios", "--category", "cpuset"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(
      run.out,
      AllOf(HasSubstr("cgroup_cpuset_resize"), HasSubstr("5 CPUs"),
            HasSubstr("2 NUMA nodes"), HasSubstr("change places."),
            HasSubstr("\n6 scenarios\n"), Not(HasSubstr("stall_detect"))));
}

TEST_F(CatalogTest, AnUnknownCategoryIsRefusedWithThoseThereAre) {
  Finished run = Run({"scenarios", "--category", "cpusets"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("no category \"cpusets\""),
                             HasSubstr("affinity, basic, cpuset")));
}

TEST_F(CatalogTest, WithoutItsProgramTheDirectoryIsNamed) {
  ASSERT_EQ(unlink(JoinPath(libexec_, "catalog").c_str()), 0);
  Finished run = Run({"scenarios"});
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, AllOf(HasSubstr("catalog"), HasSubstr(libexec_)));
}

}  // namespace
}  // namespace ktstr::ktstrctl
