// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/leftovers.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::StatusIs;

absl::Duration Soon() { return RealClock().Monotonic() + absl::Seconds(10); }

TEST(RemoveCgroupTreeTest, RemovesNestedDirectoriesDeepestFirst) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("leftovers_test"));
  std::string root = JoinPath(dir.path(), "ktstr");
  ASSERT_OK(MakeDirs(JoinPath(root, "a/b/c")));
  ASSERT_OK(MakeDirs(JoinPath(root, "d")));
  EXPECT_OK(RemoveCgroupTree(root, Soon()));
  EXPECT_FALSE(FileExists(root));
  EXPECT_OK(RemoveCgroupTree(root, Soon()));
}

TEST(RemoveCgroupTreeTest, UndyingProcessesAreADeadline) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("leftovers_test"));
  ASSERT_OK(WriteFileAtomically(JoinPath(dir.path(), "cgroup.events"),
                                "populated 1\nfrozen 0\n"));
  EXPECT_THAT(RemoveCgroupTree(dir.path(), RealClock().Monotonic()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(ParseProcessStatTest, NameMayContainParentheses) {
  absl::optional<ProcessStat> stat =
      ParseProcessStat("42 (a) S 9 (b)) R 7 40 1 0 -1\n");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->parent, 7);
  EXPECT_EQ(stat->group, 40);
  EXPECT_FALSE(ParseProcessStat("42 (a").has_value());
  EXPECT_FALSE(ParseProcessStat("42 (a) R x y").has_value());
}

TEST(ReapOrphansTest, LeavesTrackedChildrenToTheirOwner) {
  pid_t orphan = fork();
  if (orphan == 0) _exit(1);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, orphan, &info, WEXITED | WNOWAIT), 0);
  ReapOrphans({orphan});
  int status = 0;
  EXPECT_EQ(waitpid(orphan, &status, WNOHANG), orphan);

  orphan = fork();
  if (orphan == 0) _exit(1);
  ASSERT_EQ(waitid(P_PID, orphan, &info, WEXITED | WNOWAIT), 0);
  ReapOrphans({});
  EXPECT_EQ(waitpid(orphan, &status, WNOHANG), -1);
}

}  // namespace
}  // namespace ktstr::guestd
