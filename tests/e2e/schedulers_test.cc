// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A real sched_ext scheduler, and schedulers that do not behave.
#include <map>
#include <set>
#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

std::string QmapPath() {
  return JoinPath(Dirname(SchedulerPath()), "scx_qmap");
}

TEST(SchedulerTest, ScxSimpleAttachesAndIsJudged) {
  SubmitRun run =
      Submit({Program("first_light"), "--preset", "tiny-2llc", "--filter",
              "*steady_two_cgroups*", "--scheduler", SchedulerPath()});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(1));
  EXPECT_EQ(run.results[0].outcome, "PASS") << run.results[0].reason;
  bool attached = false;
  for (const auto& phase : run.results[0].file["phases"]) {
    attached = attached || phase.value("phase", "") == "SCHEDULER_ATTACHED";
  }
  EXPECT_TRUE(attached) << run.results[0].file.dump(1);
}

// Both unmodified, from the same tree as the kernel. The whole suite over six
// presets is 108 guests: docs/kernels.md has the command.
TEST(SchedulerTest, KernelsOwnSchedulersRunOneSuite) {
  SubmitRun run =
      Submit({Program("kernel_schedulers"), "--preset", "tiny-2llc", "--filter",
              "apart", "--filter", "yields", "--scheduler", SchedulerPath(),
              "--scheduler", QmapPath()});
  ASSERT_THAT(run.results, SizeIs(4)) << run.out << run.err;
  for (const VariantResult& result : run.results) {
    EXPECT_EQ(result.outcome, "PASS")
        << result.variant << ": " << result.reason;
  }
}

TEST(SchedulerTest, OptionsOfScxQmapAreItsProfiles) {
  SubmitRun run =
      Submit({Program("kernel_schedulers"), "--preset", "tiny-1llc", "--filter",
              "qmap_options", "--scheduler", "scx_qmap=" + QmapPath()});
  std::map<std::string, std::string> outcomes;
  for (const VariantResult& result : run.results) {
    outcomes[result.file.value("profile", "")] = result.outcome;
  }
  EXPECT_THAT(outcomes,
              ElementsAre(Pair("batch", "PASS"), Pair("batch+boost", "PASS"),
                          Pair("default", "PASS"), Pair("slice", "PASS"),
                          Pair("slice+batch", "PASS"),
                          Pair("slice+batch+boost", "PASS")))
      << run.out << run.err;
  for (const VariantResult& result : run.results) {
    if (result.file.value("profile", "") != "slice+batch+boost") continue;
    EXPECT_EQ(result.file["scheduler_args"],
              nlohmann::json({"-s", "5000", "-b", "8", "-H"}));
    EXPECT_EQ(result.file["scheduler_origin"], "GIVEN");
  }
}

// The same image in another place is another kernel.
TEST(SchedulerTest, KernelIsADimensionBesidePresetAndProfile) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("e2e-kernel-"));
  const std::string copy = JoinPath(dir.path(), "vmlinux");
  ASSERT_OK_AND_ASSIGN(std::string image, ReadFile(KernelPath()));
  ASSERT_OK(WriteFileAtomically(copy, image));
  SubmitRun run = Submit({Program("kernel_schedulers"), "--preset", "tiny-1llc",
                          "--filter", "gauntlet/qmap_options/*/slice/*",
                          "--scheduler", "scx_qmap=" + QmapPath(), "--kernel",
                          copy, "--kernel", KernelPath()});
  ASSERT_THAT(run.results, SizeIs(2)) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("KERNEL"));
  std::set<std::string> labels;
  for (const VariantResult& result : run.results) {
    EXPECT_EQ(result.outcome, "PASS") << result.reason;
    const std::string label = result.file.value("kernel", "");
    labels.insert(label);
    EXPECT_EQ(result.variant, "gauntlet/qmap_options/tiny-1llc/slice/" + label);
    EXPECT_THAT(run.out, HasSubstr(label));
  }
  EXPECT_THAT(labels, SizeIs(2));
}

TEST(SchedulerTest, ProgramThatIsNoSchedulerIsFailNotMiss) {
  // A suite that prints its help and exits: a scheduler that dies at start.
  SubmitRun run =
      Submit({Program("topology"), "--filter", "empty", "--preset", "tiny-1llc",
              "--scheduler", Program("topology"), "--scheduler-arg=--help"});
  EXPECT_EQ(run.exit.code, 1) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(1));
  EXPECT_EQ(run.results[0].outcome, "FAIL") << run.results[0].reason;
  EXPECT_THAT(
      run.results[0].finding_kinds,
      AnyOf(Contains("SCHEDULER_DIED"), Contains("SCHEDULER_NOT_ATTACHED")));
}

}  // namespace
}  // namespace ktstr::e2e
