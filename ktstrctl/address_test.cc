// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/address.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

TEST(GrpcTargetTest, UsesNoNameServiceForNumericAddresses) {
  EXPECT_THAT(GrpcTarget("unix:/run/x"), IsOkAndHolds("unix:/run/x"));
  EXPECT_THAT(GrpcTarget("10.0.0.1:77"), IsOkAndHolds("ipv4:10.0.0.1:77"));
  EXPECT_THAT(GrpcTarget("localhost:77"), IsOkAndHolds("ipv4:127.0.0.1:77"));
  EXPECT_THAT(GrpcTarget("[::1]:77"), IsOkAndHolds("ipv6:[::1]:77"));
  EXPECT_THAT(GrpcTarget("lab:77"), IsOkAndHolds("dns:///lab:77"));
}

TEST(GrpcTargetTest, RefusesTheRestBySentence) {
  for (const char* bad :
       {"", "lab", "lab:", ":77", "lab:0", "lab:65536", "lab:x",
        "unix:", "::1:77", "[lab]:77", "http://lab:77"}) {
    EXPECT_THAT(GrpcTarget(bad), StatusIs(absl::StatusCode::kInvalidArgument))
        << bad;
  }
}

}  // namespace
}  // namespace ktstr::ktstrctl
