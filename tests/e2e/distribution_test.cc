// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A distribution's own kernel, whose virtio and vsock drivers are modules and
// which has no sched_ext: alone, and beside ours as a dimension of one run.
#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(DistributionKernelTest, RunsBesideOursAndEveryNameSaysOnWhich) {
  SubmitRun run = Submit({Program("first_light"), "--preset", "tiny-1llc",
                          "--filter", "*steady_two_cgroups*", "--kernel",
                          DistributionKernelPath(), "--kernel", KernelPath()});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(2)) << run.out << run.err;
  std::map<std::string, std::string> release_of;
  for (const VariantResult& result : run.results) {
    EXPECT_EQ(result.outcome, "PASS") << result.variant << result.reason;
    const std::string label = result.file.value("kernel", "");
    EXPECT_THAT(label, StartsWith("kernel_path_vmlinu"));
    EXPECT_THAT(result.variant, HasSubstr("/" + label));
    EXPECT_THAT(run.out, HasSubstr(label));
    release_of[label] = result.file.value("kernel_version", "");
  }
  ASSERT_THAT(release_of, SizeIs(2));
  EXPECT_THAT(release_of.rbegin()->second, HasSubstr("-amd64"));
  EXPECT_THAT(release_of.begin()->second, Not(HasSubstr("-amd64")));
}

TEST(DistributionKernelTest, CannotRunASchedulerAndSaysWhyBeforeAnythingBoots) {
  SubmitRun run =
      Submit({Program("first_light"), "--preset", "tiny-1llc", "--kernel",
              DistributionKernelPath(), "--scheduler", SchedulerPath()});
  EXPECT_EQ(run.exit.code, 2) << run.out << run.err;
  EXPECT_THAT(run.results, IsEmpty());
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("CONFIG_SCHED_CLASS_EXT is n, needs y"),
                    HasSubstr("scx_simple"), Not(HasSubstr("VMM_UP"))));
}

}  // namespace
}  // namespace ktstr::e2e
