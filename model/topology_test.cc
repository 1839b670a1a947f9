// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/topology.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TopologyTest, ParsesBothForms) {
  ASSERT_OK_AND_ASSIGN(Topology letters, Topology::Parse("2n4l3c2t"));
  ASSERT_OK_AND_ASSIGN(Topology commas, Topology::Parse("2,4,3,2"));
  EXPECT_EQ(letters, commas);
  EXPECT_EQ(letters.cpus(), 24);
  EXPECT_EQ(letters.ToString(), "2n4l3c2t");
}

TEST(TopologyTest, RejectsMalformedTextByQuotingIt) {
  for (const char* text :
       {"", "1n2l4c", "1n2l4c2", "1n2l4c2tx", "n2l4c2t", "1,2,4", "1,2,4,2,1",
        "-1n1l1c1t", " 1n1l1c1t", "1n1l1c99999999999t"}) {
    EXPECT_THAT(Topology::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text)))
        << text;
  }
}

TEST(TopologyTest, RejectsImpossibleMachinesByAxis) {
  EXPECT_THAT(Topology::Parse("1n0l4c2t"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("LLCs")));
  EXPECT_THAT(Topology::Parse("3n2l1c1t"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("NUMA")));
  EXPECT_THAT(
      Topology::Parse("1n1024l1024c1024t"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 1024")));
}

TEST(TopologyTest, NumbersCpusLlcMajorWithAdjacentSiblings) {
  ASSERT_OK_AND_ASSIGN(Topology topology, Topology::Parse("1n2l2c2t"));
  CpuPlace place = topology.PlaceOf(7);
  EXPECT_EQ(place.llc, 1);
  EXPECT_EQ(place.core, 1);
  EXPECT_EQ(place.thread, 1);
  EXPECT_THAT(topology.CpusOfLlc(1), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(topology.CpusOfLlc(2), IsEmpty());
}

TEST(TopologyTest, SpreadsLlcsOverNodesEvenly) {
  ASSERT_OK_AND_ASSIGN(Topology topology, Topology::Parse("2n3l1c1t"));
  EXPECT_THAT(topology.CpusOfNode(0), ElementsAre(0, 1));
  EXPECT_THAT(topology.CpusOfNode(1), ElementsAre(2));
}

}  // namespace
}  // namespace ktstr
