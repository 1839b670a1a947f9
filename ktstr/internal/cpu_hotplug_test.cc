// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/cpu_hotplug.h"

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

TEST(CpuHotplugTest, WritesTheFileOfTheCpu) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("cpu_hotplug"));
  ASSERT_OK(MakeDirs(JoinPath(dir.path(), "cpu3")));
  const std::string online = JoinPath(dir.path(), "cpu3/online");
  ASSERT_OK(WriteFileAtomically(online, "1"));
  auto hotplug = MakeKernelCpuHotplug(absl::Seconds(10), dir.path());
  ASSERT_OK(hotplug->SetOnline(3, false));
  EXPECT_EQ(*ReadFile(online), "0");
  ASSERT_OK(hotplug->SetOnline(3, true));
  EXPECT_EQ(*ReadFile(online), "1");
}

TEST(CpuHotplugTest, NamesACpuThatCannotBeSwitched) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("cpu_hotplug"));
  EXPECT_THAT(
      MakeKernelCpuHotplug(absl::Seconds(10), dir.path())->SetOnline(4, false),
      StatusIs(absl::StatusCode::kNotFound,
               HasSubstr("cannot switch CPU 4 on or off")));
}

}  // namespace
}  // namespace ktstr::internal
