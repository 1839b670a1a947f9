// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/environment.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(EnvironmentTest, DirectoriesWithProgramsAreOnThePath) {
  TempDir dir = *TempDir::Create("environment_test");
  const std::string& root = dir.path();
  EXPECT_THAT(ProgramEnvironment("/bin", root), IsEmpty());
  EXPECT_THAT(ProgramEnvironment("/bin", root + "/nothing"), IsEmpty());
  for (const char* name : {"data", "tools/bin", "tools/share", "a:b"}) {
    ASSERT_OK(MakeDirs(JoinPath(root, name)));
  }
  ASSERT_OK(WriteFileAtomically(JoinPath(root, "data/text"), "x", 0644));
  ASSERT_OK(WriteFileAtomically(JoinPath(root, "tools/share/x"), "x", 0644));
  EXPECT_THAT(ProgramEnvironment("/bin", root), IsEmpty());
  ASSERT_OK(WriteFileAtomically(JoinPath(root, "tools/bin/run"), "x", 0755));
  ASSERT_OK(WriteFileAtomically(JoinPath(root, "a:b/run"), "x", 0755));
  EXPECT_THAT(ProgramEnvironment("/bin", root),
              ElementsAre(absl::StrCat("PATH=", root, "/tools/bin:/bin")));
  ASSERT_OK(WriteFileAtomically(JoinPath(root, "top"), "x", 0755));
  EXPECT_THAT(
      ProgramEnvironment("/bin", root),
      ElementsAre(absl::StrCat("PATH=", root, ":", root, "/tools/bin:/bin")));
}

}  // namespace
}  // namespace ktstr::guestd
