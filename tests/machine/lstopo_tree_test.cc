// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/machine/lstopo_tree.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::machine_tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two nodes with an LLC each, one core of two threads in each.
constexpr char kDrawing[] =
    "Machine (498MB total) + Package L#0\n"
    "  Group0 L#0\n"
    "    NUMANode L#0 (P#0 241MB)\n"
    "    L3 L#0 (16MB) + L2 L#0 (512KB) + L1d L#0 (32KB) + L1i L#0 (32KB) + "
    "Core L#0\n"
    "      PU L#0 (P#0)\n"
    "      PU L#1 (P#1)\n"
    "  Group0 L#1\n"
    "    NUMANode L#1 (P#1 256MB)\n"
    "    L3 L#1 (16MB) + L2 L#1 (512KB) + L1d L#1 (32KB) + L1i L#1 (32KB) + "
    "Core L#1\n"
    "      PU L#2 (P#2)\n"
    "      PU L#3 (P#3)\n";

MachineTopology Declared(const char* topology, MachineDetails details = {}) {
  return *MachineTopology::Create(*Topology::Parse(topology), 512, details);
}

std::vector<std::string> CompareChanged(const char* from, const char* to) {
  return CompareDrawing(Declared("2n2l1c2t"), /*is_amd=*/false,
                        absl::StrReplaceAll(kDrawing, {{from, to}}));
}

TEST(LstopoTreeTest, AcceptsTheDeclaredTree) {
  EXPECT_THAT(CompareDrawing(Declared("2n2l1c2t"), /*is_amd=*/false, kDrawing),
              IsEmpty());
}

TEST(LstopoTreeTest, NamesWhatIsNestedElsewhere) {
  EXPECT_THAT(
      CompareChanged("      PU L#1 (P#1)\n", ""),
      Contains("lstopo draws a Core with CPUs 0, which is not declared"));
  EXPECT_THAT(CompareChanged("PU L#1 (P#1)", "PU L#1 (P#7)"),
              Contains("lstopo draws no PU with CPUs 1"));
  EXPECT_THAT(CompareChanged("    NUMANode L#1 (P#1 256MB)\n", ""),
              ElementsAre("lstopo draws no node 1"));
  EXPECT_THAT(CompareChanged("    NUMANode L#1", "  NUMANode L#1"),
              ElementsAre("lstopo draws node 1 beside CPUs 0-3, declared 2-3"));
  EXPECT_THAT(CompareChanged("Group0 L#1", "Die L#1"),
              ElementsAre("lstopo draws a Die with CPUs 2-3, which is not "
                          "declared"));
}

TEST(LstopoTreeTest, AmdHasADieForEachNode) {
  EXPECT_THAT(
      CompareDrawing(Declared("2n2l1c2t"), /*is_amd=*/true,
                     absl::StrReplaceAll(kDrawing, {{"Group0", "Die"}})),
      IsEmpty());
}

TEST(LstopoTreeTest, NodeBehindAMemorySideCacheIsBesideItsCpus) {
  EXPECT_THAT(CompareChanged("    NUMANode L#1 (P#1 256MB)\n",
                             "    MemCache L#0 (4MB)\n"
                             "      NUMANode L#1 (P#1 256MB)\n"),
              IsEmpty());
}

TEST(LstopoTreeTest, NamesAnotherCacheSize) {
  EXPECT_THAT(CompareChanged("L2 L#1 (512KB)", "L2 L#1 (1024KB)"),
              ElementsAre("lstopo draws a L2 of 1024KB, declared 512KB"));
}

TEST(LstopoTreeTest, LlcsThatArePackagesAreDrawnSo) {
  EXPECT_THAT(CompareDrawing(
                  Declared("2n2l1c2t", {.llcs_are = LlcsAre::kPackages}), false,
                  absl::StrReplaceAll(kDrawing, {{" + Package L#0", ""},
                                                 {"Group0", "Package"}})),
              IsEmpty());
}

TEST(LstopoTreeTest, AnEmptyDrawingLacksEverything) {
  EXPECT_THAT(CompareDrawing(Declared("1n1l1c1t"), false, ""),
              Contains("lstopo draws no PU with CPUs 0"));
}

}  // namespace
}  // namespace ktstr::machine_tests
