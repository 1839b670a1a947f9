// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/run_settings.h"

#include <map>
#include <string>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

absl::StatusOr<RunSettings> Read(
    const std::map<std::string, std::string>& environment) {
  return ReadRunSettings([&](const char* name) -> const char* {
    auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(RunSettingsTest, AnEmptyEnvironmentKeepsTheTestsOwnValues) {
  ASSERT_OK_AND_ASSIGN(RunSettings settings, Read({}));
  EXPECT_FALSE(settings.frames_fd.has_value());
  EXPECT_FALSE(settings.duration.has_value());
  EXPECT_FALSE(settings.sched_pid.has_value());
  EXPECT_FALSE(settings.is_overcommitted);
  EXPECT_FALSE(settings.cgroup_root.has_value());
}

TEST(RunSettingsTest, ReadsEverythingGuestdSays) {
  ASSERT_OK_AND_ASSIGN(RunSettings settings,
                       Read({{"KTSTR_FRAMES_FD", "5"},
                             {"KTSTR_TOPOLOGY", "1n2l2c2t"},
                             {"KTSTR_DURATION_MS", "1500"},
                             {"KTSTR_WORKERS", "4"},
                             {"KTSTR_WORK_TYPE", "YieldHeavy"},
                             {"KTSTR_SEED", "18446744073709551615"},
                             {"KTSTR_OVERCOMMITTED", "1"},
                             {"KTSTR_CPU_CONTROLLER", "1"},
                             {"KTSTR_SCHED_PID", "77"},
                             {"KTSTR_CGROUP_ROOT", "/sys/fs/cgroup/a"}}));
  EXPECT_EQ(settings.frames_fd, 5);
  EXPECT_EQ(settings.topology->ToString(), "1n2l2c2t");
  EXPECT_EQ(settings.duration, std::chrono::milliseconds(1500));
  EXPECT_EQ(settings.workers, 4);
  EXPECT_EQ(settings.work_type->name(), "YieldHeavy");
  EXPECT_EQ(settings.seed, 18446744073709551615u);
  EXPECT_TRUE(settings.is_overcommitted);
  EXPECT_TRUE(settings.has_cpu_controller);
  EXPECT_EQ(settings.sched_pid, 77);
  EXPECT_EQ(settings.cgroup_root, "/sys/fs/cgroup/a");
}

TEST(RunSettingsTest, NamesTheVariableThatDoesNotFit) {
  for (const auto& [name, value] :
       {std::pair("KTSTR_FRAMES_FD", "-1"), std::pair("KTSTR_DURATION_MS", "0"),
        std::pair("KTSTR_WORK_TYPE", "Dreaming"),
        std::pair("KTSTR_WORKERS", "many"), std::pair("KTSTR_SEED", "-4"),
        std::pair("KTSTR_OVERCOMMITTED", "2"),
        std::pair("KTSTR_CPU_CONTROLLER", "yes"),
        std::pair("KTSTR_SCHED_PID", "0"),
        std::pair("KTSTR_CGROUP_ROOT", "cells"),
        std::pair("KTSTR_TOPOLOGY", "big")}) {
    EXPECT_THAT(Read({{name, value}}).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(name)));
  }
}

}  // namespace
}  // namespace ktstr::internal
