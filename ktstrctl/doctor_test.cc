// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/doctor.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(DoctorTest, MissingDeviceNamesTheThreeCauses) {
  Check check = CheckKvmDevice("/nonexistent/kvm");
  EXPECT_EQ(check.state, Check::State::kFail);
  EXPECT_THAT(check.advice,
              AllOf(HasSubstr("modprobe"), HasSubstr("firmware"),
                    HasSubstr("nested"), HasSubstr("tools/labhost")));
}

TEST(DoctorTest, DeviceThatOpensIsFine) {
  EXPECT_EQ(CheckKvmDevice("/dev/null").state, Check::State::kOk);
}

TEST(DoctorTest, UsableProbeIsFine) {
  Check check = ReadProbe(R"({"usable":true,"kernel_mode_mips":812.5})");
  EXPECT_EQ(check.state, Check::State::kOk);
  EXPECT_THAT(check.detail, HasSubstr("81"));
  EXPECT_THAT(check.advice, IsEmpty());
}

TEST(DoctorTest, UnusableProbeSaysWhyAndWhatToDo) {
  Check check = ReadProbe(R"({"usable":false,"reason":"SYSCALL stays at 3"})");
  EXPECT_EQ(check.state, Check::State::kFail);
  EXPECT_EQ(check.detail, "SYSCALL stays at 3");
  EXPECT_THAT(check.advice, HasSubstr("labhost"));
}

TEST(DoctorTest, NoReportIsAFailure) {
  for (const char* text : {"", "{}", "[1]", "{\"usable\":1}", "\xff\x1b"}) {
    EXPECT_EQ(ReadProbe(text).state, Check::State::kFail) << text;
  }
}

}  // namespace
}  // namespace ktstr::ktstrctl
