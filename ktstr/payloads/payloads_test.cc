// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the programs print, recorded from the versions that the headers name;
// schbench's is put together from published runs.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/payload_plan.h"
#include "ktstr/payloads/cyclictest.h"
#include "ktstr/payloads/fio.h"
#include "ktstr/payloads/hackbench.h"
#include "ktstr/payloads/schbench.h"
#include "ktstr/payloads/stress_ng.h"

namespace ktstr::payloads {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// As if the program had printed the file on standard error.
PayloadResult ResultOf(const PayloadDef& def, const std::string& file) {
  absl::StatusOr<std::string> text =
      ReadFile(absl::StrCat("ktstr/payloads/testdata/", file));
  EXPECT_OK(text);
  return internal::Conclude(
      internal::PayloadPlan(std::make_shared<const PayloadDef>(def)),
      {.err = text.value_or("")});
}

// "name=value", sorted.
std::vector<std::string> Found(const PayloadResult& result) {
  std::vector<std::string> found;
  for (const PayloadMetric& metric : result.metrics) {
    found.push_back(absl::StrCat(metric.name, "=", metric.value));
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Hints that match nothing would be a mistake in the definition.
void ExpectHintsMatch(const PayloadDef& def, const PayloadResult& result) {
  for (const MetricHint& hint : def.metrics) {
    EXPECT_TRUE(result.metric(hint.name).has_value()) << hint.name;
  }
}

TEST(PayloadsTest, SchbenchLastTablesCount) {
  PayloadResult result = ResultOf(kSchbench, "schbench_1.0.txt");
  EXPECT_THAT(
      Found(result),
      ElementsAre("average_rps=6984.77", "request.max=38334",
                  "request.min=5130", "request.p50=13648", "request.p90=14000",
                  "request.p99.9=18720", "request.p99=14320", "rps.max=6991",
                  "rps.min=6835", "rps.p20=6968", "rps.p50=6984",
                  "rps.p90=6984", "wakeup.max=8400", "wakeup.min=1",
                  "wakeup.p50=8", "wakeup.p90=13", "wakeup.p99.9=775",
                  "wakeup.p99=20"));
  ExpectHintsMatch(kSchbench, result);
}

TEST(PayloadsTest, StressNgHasARowForEachStressor) {
  EXPECT_THAT(
      Found(ResultOf(kStressNg, "stress_ng_0.15.06.txt")),
      ElementsAre("cpu.bogo_ops=523", "cpu.bogo_ops_per_cpu_s=2194.84",
                  "cpu.bogo_ops_per_s=520.97", "cpu.real_s=1", "cpu.system_s=0",
                  "cpu.user_s=0.24", "switch.bogo_ops=138837",
                  "switch.bogo_ops_per_cpu_s=261457",
                  "switch.bogo_ops_per_s=138795", "switch.real_s=1",
                  "switch.system_s=0.49", "switch.user_s=0.04"));
}

TEST(PayloadsTest, HackbenchHasATime) {
  PayloadResult result = ResultOf(kHackbench, "hackbench_2.4.txt");
  ASSERT_EQ(result.metrics.size(), 1u);
  EXPECT_GT(*result.metric("time"), 0);
  EXPECT_EQ(result.metrics[0].unit, "s");
}

TEST(PayloadsTest, CyclictestThreadsThatNeverWokeAreLeftOut) {
  PayloadResult result = ResultOf(kCyclictest, "cyclictest_2.4.txt");
  EXPECT_THAT(Found(result),
              ElementsAre("max=4307", "thread.1.avg=109", "thread.1.cycles=200",
                          "thread.1.max=3401", "thread.1.min=26",
                          "thread.2.avg=91", "thread.2.cycles=496",
                          "thread.2.max=4307", "thread.2.min=37"));
  ExpectHintsMatch(kCyclictest, result);
}

TEST(PayloadsTest, FioHintsAreInItsDocument) {
  PayloadResult result = ResultOf(kFio, "fio_3.33.json");
  for (const char* name :
       {"jobs.0.read.iops", "jobs.0.read.bw_bytes", "jobs.0.read.clat_ns.mean",
        "jobs.0.read.clat_ns.percentile.99.000000", "jobs.0.write.iops"}) {
    EXPECT_TRUE(result.metric(name).has_value()) << name;
  }
  EXPECT_GT(*result.metric("jobs.0.read.iops"), 0);
}

TEST(PayloadsTest, DefinitionsAreWhatTheyMayBe) {
  for (const PayloadDef& def :
       {kSchbench, kStressNg, kHackbench, kCyclictest, kFio}) {
    EXPECT_OK(internal::CheckPlan(
        internal::PayloadPlan(std::make_shared<const PayloadDef>(def))));
  }
}

TEST(PayloadsTest, NonsenseHasNoMetrics) {
  for (const char* text :
       {"", "T:", "T: x C: 1 Min: Avg: Max:", "Time: soon\nTime:", "] ",
        "stress-ng: metrc: [1] cpu 1 2 3 4 5 x", "average rps: nobody",
        " percentiles (\nth:\n* th: 5\nmin=\nmin=1\nmin=x, max=y",
        "99.0th: 5"}) {
    EXPECT_THAT(ReadStressNg(text), IsEmpty()) << text;
    EXPECT_THAT(ReadHackbench(text), IsEmpty()) << text;
    EXPECT_THAT(ReadCyclictest(text), IsEmpty()) << text;
  }
  EXPECT_THAT(ReadSchbench("99.0th: 5\nmin=1, max=2\naverage rps: nobody\n"),
              IsEmpty());
  EXPECT_THAT(ReadSchbench("Wakeup Latencies percentiles (usec)\nth: 5\n"
                           "x.0th: 3\n99.0th:\n99.0th: x\nmin=x, max=\n"),
              IsEmpty());
}

}  // namespace
}  // namespace ktstr::payloads
