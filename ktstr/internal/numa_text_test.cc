// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/numa_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// As a kernel wrote it, two nodes.
constexpr char kMaps[] =
    "00400000 default file=/bin/suite mapped=210 mapmax=3 N0=200 N1=10 "
    "kernelpagesize_kB=4\n"
    "0170a000 default heap anon=33 dirty=33 N1=33 kernelpagesize_kB=4\n"
    "7f1c40000000 bind:1 anon=512 dirty=512 active=0 N1=512 "
    "kernelpagesize_kB=4\n"
    "7ffd8f5e1000 default stack anon=3 dirty=3 N0=3 kernelpagesize_kB=4\n"
    "7ffd8f5f6000 default\n";

TEST(NumaMapsTest, PagesAreSummedByNode) {
  EXPECT_THAT(ParseNumaMaps(kMaps), ElementsAre(Pair(0, 203), Pair(1, 555)));
}

TEST(NumaMapsTest, LinesThatAreNoMappingsAreLeftOut) {
  EXPECT_THAT(ParseNumaMaps(""), IsEmpty());
  EXPECT_THAT(ParseNumaMaps("xyz default N0=5\n\nN0=7\n1000 N0=9\n"),
              IsEmpty());
  EXPECT_THAT(ParseNumaMaps("1000 default N=5 N0= N-1=3 N0=x NN0=2 N0=4 "
                            "N5000=1 N2=18446744073709551616"),
              ElementsAre(Pair(0, 4)));
}

TEST(PagesMigratedTest, TheFirstNumberCounts) {
  EXPECT_EQ(ParsePagesMigrated("numa_hit 5\nnuma_pages_migrated x\n"
                               "numa_pages_migrated 12\n"
                               "numa_pages_migrated 13\n"),
            12u);
  EXPECT_EQ(ParsePagesMigrated("numa_hit 5\nnuma_pages_migrated_not 3\n"),
            std::nullopt);
}

}  // namespace
}  // namespace ktstr::internal
