// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/setup.h"

#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Directories that stand for the kernel's.
class SetupTest : public ::testing::Test {
 protected:
  SetupTest() : dir_(*TempDir::Create("setup_test")) {
    roots_ = {.sysctls = Path("sysctls"),
              .cgroups = Path("cgroups"),
              .files = Path("files")};
    Make("sysctls/kernel/sched_schedstats");
    Make("files/sys/kernel/features");
    Make("cgroups/cgroup.subtree_control");
  }

  std::string Path(const std::string& name) {
    return JoinPath(dir_.path(), name);
  }

  void Make(const std::string& name) {
    EXPECT_OK(MakeDirs(std::string(Dirname(Path(name)))));
    EXPECT_OK(WriteFileAtomically(Path(name), ""));
  }

  void AddSysctl(const std::string& key, const std::string& value) {
    v1::Sysctl& sysctl = *setup_.add_sysctls();
    sysctl.set_key(key);
    sysctl.set_value(value);
  }

  static void Add(google::protobuf::RepeatedPtrField<v1::FileWrite>* writes,
                  const std::string& path, const std::string& value) {
    v1::FileWrite& write = *writes->Add();
    write.set_path(path);
    write.set_value(value);
  }

  TempDir dir_;
  SetupRoots roots_;
  v1::SchedulerSetup setup_;
};

TEST_F(SetupTest, LastSysctlOfAKeyWins) {
  AddSysctl("kernel.sched_schedstats", "0");
  AddSysctl("kernel.sched_schedstats", "1");
  EXPECT_OK(ApplySetup(setup_, roots_));
  EXPECT_THAT(ReadFile(Path("sysctls/kernel/sched_schedstats")),
              IsOkAndHolds("1"));
}

TEST_F(SetupTest, SysctlThatTheKernelDoesNotHaveIsNamed) {
  AddSysctl("kernel.no_such_thing", "1");
  EXPECT_THAT(ApplySetup(setup_, roots_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("sysctl kernel.no_such_thing"),
                             HasSubstr("this kernel does not have "),
                             HasSubstr("sysctls/kernel/no_such_thing"))));
}

TEST_F(SetupTest, BadValuesNeverReachAFile) {
  AddSysctl("../files.x", "1");
  EXPECT_THAT(ApplySetup(setup_, roots_),
              StatusIs(absl::StatusCode::kInvalidArgument));
  setup_.Clear();
  setup_.set_cgroup_parent("/../x");
  EXPECT_THAT(ApplySetup(setup_, roots_),
              StatusIs(absl::StatusCode::kInvalidArgument));
  setup_.Clear();
  Add(setup_.mutable_enable(), "/ktstr/suite", "1");
  EXPECT_THAT(ApplySetup(setup_, roots_),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SetupTest, EachAncestorHandsControllersOnToTheCgroupParent) {
  // The kernel makes this file with the directory.
  Make("cgroups/a/cgroup.subtree_control");
  setup_.set_cgroup_parent("/a/b");
  EXPECT_OK(ApplySetup(setup_, roots_));
  EXPECT_THAT(ReadFile(Path("cgroups/cgroup.subtree_control")),
              IsOkAndHolds("+cpuset +cpu"));
  EXPECT_THAT(ReadFile(Path("cgroups/a/cgroup.subtree_control")),
              IsOkAndHolds("+cpuset +cpu"));
  EXPECT_TRUE(FileExists(Path("cgroups/a/b")));
  EXPECT_EQ(CgroupParentDir(setup_, roots_), Path("cgroups/a/b"));
  EXPECT_EQ(CgroupParentDir({}, roots_), "");
}

TEST_F(SetupTest, HierarchyWithoutControllersIsNamed) {
  EXPECT_OK(RemoveTree(Path("cgroups")));
  setup_.set_cgroup_parent("/a");
  EXPECT_THAT(ApplySetup(setup_, roots_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("cgroup_parent /a"),
                             HasSubstr("cgroup.subtree_control"))));
}

TEST_F(SetupTest, EnableAndDisableAreWrittenToTheirFiles) {
  Add(setup_.mutable_enable(), "/sys/kernel/features", "NO_A");
  Add(setup_.mutable_disable(), "/sys/kernel/missing", "x");
  Add(setup_.mutable_disable(), "/sys/kernel/features", "YES_A");
  EXPECT_OK(ApplySetup(setup_, roots_));
  EXPECT_THAT(ReadFile(Path("files/sys/kernel/features")),
              IsOkAndHolds("NO_A"));
  EXPECT_THAT(UndoSetup(setup_, roots_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("/sys/kernel/missing")));
  EXPECT_THAT(ReadFile(Path("files/sys/kernel/features")),
              IsOkAndHolds("YES_A"));
}

TEST_F(SetupTest, FileThatIsNotThereFailsTheSetUp) {
  Add(setup_.mutable_enable(), "/sys/kernel/missing", "1");
  Add(setup_.mutable_enable(), "/sys/kernel/features", "never");
  EXPECT_THAT(ApplySetup(setup_, roots_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("/sys/kernel/missing")));
  EXPECT_THAT(ReadFile(Path("files/sys/kernel/features")), IsOkAndHolds(""));
}

}  // namespace
}  // namespace ktstr::guestd
