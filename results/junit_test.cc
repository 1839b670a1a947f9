// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/junit.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fleet.pb.h"

namespace ktstr::results {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Variant MakeVariant(v1::Outcome outcome, const std::string& reason) {
  v1::Variant variant;
  variant.mutable_spec()->set_name("ktstr/steady");
  variant.mutable_spec()->set_test("steady");
  variant.mutable_spec()->mutable_suite()->set_name("demo");
  variant.mutable_result()->set_outcome(outcome);
  variant.mutable_result()->set_reason(reason);
  variant.mutable_result()->mutable_wall_time()->set_seconds(2);
  return variant;
}

v1::Run MakeRun() {
  v1::Run run;
  run.set_run_id("r1");
  run.mutable_created_at()->set_seconds(1000000000);
  return run;
}

std::string Xml(const std::vector<const v1::Variant*>& variants) {
  return JunitXml(MakeRun(), variants, Leniency(variants, absl::UnixEpoch()));
}

TEST(JunitTest, ForgivenFailureIsSkippedAndSaysWhy) {
  v1::Variant fail = MakeVariant(v1::FAIL, "stalled");
  fail.mutable_spec()->mutable_quarantine()->set_reason("issue 12");
  fail.mutable_spec()->mutable_quarantine()->set_until("2027-01-31");
  std::string xml = Xml({&fail});
  EXPECT_THAT(xml, HasSubstr("failures=\"0\" errors=\"0\" skipped=\"1\""));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"FAIL, quarantined until "
                             "2027-01-31 (issue 12): stalled\"/>"));
}

TEST(JunitTest, WritesOneCaseAVariant) {
  v1::Variant pass = MakeVariant(v1::PASS, "");
  v1::Variant skip = MakeVariant(v1::SKIP, "needs 2 LLCs");
  EXPECT_EQ(Xml({&pass, &skip}),
            R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="0" errors="0" skipped="1" time="4.000">
  <testsuite name="ktstr r1" tests="2" failures="0" errors="0" skipped="1" time="4.000" timestamp="2001-09-09T01:46:40Z">
    <testcase classname="demo.steady" name="ktstr/steady" time="2.000"/>
    <testcase classname="demo.steady" name="ktstr/steady" time="2.000">
      <skipped message="needs 2 LLCs"/>
    </testcase>
  </testsuite>
</testsuites>
)");
}

TEST(JunitTest, KeepsFailuresApartFromErrors) {
  v1::Variant fail = MakeVariant(v1::FAIL, "stalled");
  v1::Variant error = MakeVariant(v1::ERROR, "body failed");
  v1::Variant miss = MakeVariant(v1::MISS, "no KVM");
  v1::Variant cancelled = MakeVariant(v1::CANCELLED, "");
  std::string xml = Xml({&fail, &error, &miss, &cancelled});
  EXPECT_THAT(xml, HasSubstr("failures=\"1\" errors=\"2\" skipped=\"1\""));
  EXPECT_THAT(xml, HasSubstr("<failure type=\"FAIL\" message=\"stalled\">"));
  EXPECT_THAT(xml, HasSubstr("<error type=\"ERROR\" message=\"body failed\">"));
  EXPECT_THAT(xml, HasSubstr("<error type=\"MISS\" message=\"no KVM\">"));
}

TEST(JunitTest, SurvivesHostileText) {
  std::string hostile("\x1b[2J\xff\"<&>]]>\0\xEF\xBF\xBE", 16);
  v1::Variant fail = MakeVariant(v1::FAIL, hostile);
  fail.mutable_result()->set_console_tail(hostile);
  std::string xml = Xml({&fail});
  EXPECT_THAT(xml, HasSubstr("message=\"\\x1b[2J\\xff&quot;&lt;&amp;&gt;]]&gt;"
                             "\\x00\\u{fffe}\""));
  for (unsigned char c : xml) {
    EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7F)) << int{c};
  }
  EXPECT_THAT(xml, Not(HasSubstr("]]>")));
}

}  // namespace
}  // namespace ktstr::results
