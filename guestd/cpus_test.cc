// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/cpus.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class CpusTest : public ::testing::Test {
 protected:
  void Put(const std::string& name, const std::string& text) {
    std::string path = JoinPath(dir_.path(), name);
    ASSERT_OK(MakeDirs(std::string(Dirname(path))));
    ASSERT_OK(WriteFileAtomically(path, text));
  }
  auto Get(const std::string& name) {
    return ReadFile(JoinPath(dir_.path(), name), 16);
  }

  TempDir dir_ = TempDir::Create("cpus_test").value();
};

TEST_F(CpusTest, NothingIsWrittenWhenAllAreOnline) {
  Put("present", "0-3\n");
  Put("online", "0-3\n");
  EXPECT_OK(BringUpCpus(dir_.path()));
}

// A directory of files does what it is told and changes nothing.
TEST_F(CpusTest, EveryOfflineCpuIsToldAndTheResultIsChecked) {
  Put("present", "0-3\n");
  Put("online", "0,2\n");
  Put("cpu1/online", "0");
  Put("cpu2/online", "x");
  Put("cpu3/online", "0");
  EXPECT_THAT(BringUpCpus(dir_.path()),
              StatusIs(absl::StatusCode::kInternal, "CPUs 1,3 stayed offline"));
  EXPECT_THAT(Get("cpu1/online"), IsOkAndHolds("1"));
  EXPECT_THAT(Get("cpu2/online"), IsOkAndHolds("x"));
  EXPECT_THAT(Get("cpu3/online"), IsOkAndHolds("1"));
}

TEST_F(CpusTest, TheKernelsReasonIsPassedOn) {
  Put("present", "0-1\n");
  Put("online", "0\n");
  EXPECT_THAT(BringUpCpus(dir_.path()),
              StatusIs(absl::StatusCode::kInternal,
                       HasSubstr("CPUs 1 stayed offline: ")));
}

}  // namespace
}  // namespace ktstr::guestd
