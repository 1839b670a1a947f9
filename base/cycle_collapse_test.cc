// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/cycle_collapse.h"

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

const char kFive[] =
    "; for (i = 0; i < n; i++)\n"
    "4: (b7) r1 = 0\n"
    "5: (0f) r2 += r1\n"
    "6: (07) r2 += 1\n"
    "7: (a5) if r2 < 0x64 goto pc-4\n";
// The same, beginning elsewhere.
const char kFromFour[] =
    "4: (b7) r1 = 0\n"
    "5: (0f) r2 += r1\n"
    "6: (07) r2 += 1\n"
    "7: (a5) if r2 < 0x64 goto pc-4\n"
    "; for (i = 0; i < n; i++)\n";
const char kFromSix[] =
    "6: (07) r2 += 1\n"
    "7: (a5) if r2 < 0x64 goto pc-4\n"
    "; for (i = 0; i < n; i++)\n"
    "4: (b7) r1 = 0\n"
    "5: (0f) r2 += r1\n";

struct Case {
  std::string name;
  std::string log;
  std::string collapsed;
};

// For messages of the test framework.
void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }

std::string Times(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// Lines that nothing else resembles.
std::string Unlike(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, "unlike ", i, "\n");
  return all;
}

std::string Header(int repetitions, int period) {
  return absl::StrCat("--- ", repetitions, " times the same ", period,
                      " lines; the first time: ---\n");
}

std::string LeftOut(int count) {
  return absl::StrCat("--- ", count, " left out; the last time: ---\n");
}

const char kEnd[] = "--- end of what repeats ---\n";

const Case kCases[] = {
    {"NothingInIsNothingOut", "", ""},
    {"FourteenLinesAreLeftAlone", Times(2, kFive) + Unlike(4),
     Times(2, kFive) + Unlike(4)},
    {"TwiceIsNoCycle", Times(2, kFive) + Unlike(10),
     Times(2, kFive) + Unlike(10)},
    {"ThreeTimesAreACycle", Times(3, kFive),
     Header(3, 5) + kFive + LeftOut(1) + kFive + kEnd},
    {"WithoutALastLineFeed", Unlike(3) + Times(3, kFive) + "the end",
     Unlike(3) + Header(3, 5) + kFive + LeftOut(1) + kFive + kEnd + "the end"},
    // Each line of the five occurs 100 times; the smallest text is the line
    // that sorts first, "4: (b7) r1 = 0". From there the blocks repeat 99
    // times, because the last one lacks its first line; one line earlier, 100.
    {"AnchorsOfOneFrequencyStartAtTheSmallestAndAlign",
     Unlike(2) + Times(100, kFive) + Unlike(2),
     Unlike(2) + Header(100, 5) + kFive + LeftOut(98) + kFive + kEnd +
         Unlike(2)},
    // "4: ..." is the smallest of the three that occur four times. One line
    // earlier there are three rounds, too.
    {"StartStaysWhereMovingGainsNothing",
     Times(3, kFive) + "; for (i = 0; i < n; i++)\n4: (b7) r1 = 0\n"
                       "5: (0f) r2 += r1\n",
     "; for (i = 0; i < n; i++)\n" + Header(3, 5) + kFromFour + LeftOut(1) +
         kFromFour + kEnd + "4: (b7) r1 = 0\n5: (0f) r2 += r1\n"},
    // "6: ..." occurs once more than the others.
    {"MostFrequentLineIsTheAnchor",
     "6: (07) r2 += 1\n7: (a5) if r2 < 0x64 goto pc-4\n" + Times(3, kFive),
     Header(3, 5) + kFromSix + LeftOut(1) + kFromSix + kEnd +
         "6: (07) r2 += 1\n7: (a5) if r2 < 0x64 goto pc-4\n"},
    {"RegisterStatesDoNotCount",
     "4: (b7) r1 = 0                       ; R1_w=0\n"
     "5: (79) r2 = *(u64 *)(r10 -8)        ; frame1: R2=1 R10=fp0\n"
     "6: R1=0 R2=1 R10=fp0\n"
     "7: frame1: R1=0 R2=1\n"
     "8: (a5) if r2 < 0x64 goto pc+2 11: R1=0\n"
     "4: (b7) r1 = 0\n"
     "5: (79) r2 = *(u64 *)(r10 -8)        ; frame1: R2=2 R10=fp0\n"
     "6: R1=0 R2=2 R10=fp0\n"
     "7: frame1: R1=0 R2=2\n"
     "8: (a5) if r2 < 0x64 goto pc+2 11: R1=0 R2=2\n"
     "4: (b7) r1 = 0          ; R1_w=0\n"
     "5: (79) r2 = *(u64 *)(r10 -8)        ; frame1: R2=3 R10=fp0\n"
     "  6: R1=0 R2=3 R10=fp0\n"
     "7: frame1: R1=0 R2=3\n"
     "8: (a5) if r2 < 0x64 goto pc+2\n",
     Header(3, 5) +
         "4: (b7) r1 = 0                       ; R1_w=0\n"
         "5: (79) r2 = *(u64 *)(r10 -8)        ; frame1: R2=1 R10=fp0\n"
         "6: R1=0 R2=1 R10=fp0\n"
         "7: frame1: R1=0 R2=1\n"
         "8: (a5) if r2 < 0x64 goto pc+2 11: R1=0\n" +
         LeftOut(1) +
         "4: (b7) r1 = 0          ; R1_w=0\n"
         "5: (79) r2 = *(u64 *)(r10 -8)        ; frame1: R2=3 R10=fp0\n"
         "  6: R1=0 R2=3 R10=fp0\n"
         "7: frame1: R1=0 R2=3\n"
         "8: (a5) if r2 < 0x64 goto pc+2\n" +
         kEnd},
    {"OperandsCount",
     "4: (b7) r1 = 0\n5: (b7) r2 = 1\n6: (b7) r3 = 1\n7: (b7) r4 = 1\n"
     "8: (05) goto pc-5\n"
     "4: (b7) r1 = 0\n5: (b7) r2 = 2\n6: (b7) r3 = 1\n7: (b7) r4 = 1\n"
     "8: (05) goto pc-5\n"
     "4: (b7) r1 = 0\n5: (b7) r2 = 3\n6: (b7) r3 = 1\n7: (b7) r4 = 1\n"
     "8: (05) goto pc-5\n",
     "4: (b7) r1 = 0\n5: (b7) r2 = 1\n6: (b7) r3 = 1\n7: (b7) r4 = 1\n"
     "8: (05) goto pc-5\n"
     "4: (b7) r1 = 0\n5: (b7) r2 = 2\n6: (b7) r3 = 1\n7: (b7) r4 = 1\n"
     "8: (05) goto pc-5\n"
     "4: (b7) r1 = 0\n5: (b7) r2 = 3\n6: (b7) r3 = 1\n7: (b7) r4 = 1\n"
     "8: (05) goto pc-5\n"},
    // No numbered line occurs twice.
    {"UnrolledLoopIsFoundWithoutNumbers",
     "0: (0f) r2 += r1\n1: (07) r2 += 1\n2: (bf) r3 = r2\n3: (57) r3 &= 7\n"
     "4: (15) if r3 == 0x0 goto pc+20\n"
     "5: (0f) r2 += r1\n6: (07) r2 += 1\n7: (bf) r3 = r2\n8: (57) r3 &= 7\n"
     "9: (15) if r3 == 0x0 goto pc+20\n"
     "10: (0f) r2 += r1\n11: (07) r2 += 1\n12: (bf) r3 = r2\n"
     "13: (57) r3 &= 7\n14: (15) if r3 == 0x0 goto pc+20\n",
     Header(3, 5) +
         "0: (0f) r2 += r1\n1: (07) r2 += 1\n2: (bf) r3 = r2\n"
         "3: (57) r3 &= 7\n4: (15) if r3 == 0x0 goto pc+20\n" +
         LeftOut(1) +
         "10: (0f) r2 += r1\n11: (07) r2 += 1\n12: (bf) r3 = r2\n"
         "13: (57) r3 &= 7\n14: (15) if r3 == 0x0 goto pc+20\n" +
         kEnd},
    // The only numbered line that is frequent is in no cycle.
    {"UnrolledLoopIsFoundBesideAFrequentLine",
     "something else\n"
     "0: (0f) r2 += r1\n1: (07) r2 += 1\n2: (bf) r3 = r2\n3: (57) r3 &= 7\n"
     "4: (05) goto pc+0\n"
     "5: (0f) r2 += r1\n6: (07) r2 += 1\n7: (bf) r3 = r2\n8: (57) r3 &= 7\n"
     "9: (05) goto pc+0\n"
     "10: (0f) r2 += r1\n11: (07) r2 += 1\n12: (bf) r3 = r2\n"
     "13: (57) r3 &= 7\n14: (05) goto pc+0\n"
     "something else\nin between\nsomething else\n",
     "something else\n" + Header(3, 5) +
         "0: (0f) r2 += r1\n1: (07) r2 += 1\n2: (bf) r3 = r2\n"
         "3: (57) r3 &= 7\n4: (05) goto pc+0\n" +
         LeftOut(1) +
         "10: (0f) r2 += r1\n11: (07) r2 += 1\n12: (bf) r3 = r2\n"
         "13: (57) r3 &= 7\n14: (05) goto pc+0\n" +
         kEnd + "something else\nin between\nsomething else\n"},
    // Distances 3 and 4 are too small; every second is 7.
    {"AnchorTwiceInABlock", Times(3, "the anchor\na\nb\nthe anchor\nc\nd\ne\n"),
     Header(3, 7) + "the anchor\na\nb\nthe anchor\nc\nd\ne\n" + LeftOut(1) +
         "the anchor\na\nb\nthe anchor\nc\nd\ne\n" + kEnd},
    // 5 is the most common distance and no period; every second is 12.
    {"DistanceThatIsNoPeriod",
     Times(3, "the anchor\na\nb\nc\nd\nthe anchor\ne\nf\ng\nh\ni\nj\n"),
     Header(3, 12) + "the anchor\na\nb\nc\nd\nthe anchor\ne\nf\ng\nh\ni\nj\n" +
         LeftOut(1) + "the anchor\na\nb\nc\nd\nthe anchor\ne\nf\ng\nh\ni\nj\n" +
         kEnd},
    // Every second distance is 6 and no period; every third is 9.
    {"AnchorThreeTimesInABlock",
     Times(3, "the anchor\na\nb\nthe anchor\nc\nd\nthe anchor\ne\nf\n"),
     Header(3, 9) + "the anchor\na\nb\nthe anchor\nc\nd\nthe anchor\ne\nf\n" +
         LeftOut(1) + "the anchor\na\nb\nthe anchor\nc\nd\nthe anchor\ne\nf\n" +
         kEnd},
    {"ShortLinesAreNoAnchors", Times(9, "a\nb\nc\nnine byte\nd\n"),
     Times(9, "a\nb\nc\nnine byte\nd\n")},
    // Ten rounds of three lines are five of six.
    {"ShortLoopsGoTogether", Times(10, "the anchor\na\nb\n"),
     Header(5, 6) + "the anchor\na\nb\nthe anchor\na\nb\n" + LeftOut(3) +
         "the anchor\na\nb\nthe anchor\na\nb\n" + kEnd},
    {"OneLineOverAndOverStays", Times(1000, "the anchor\n"),
     Times(1000, "the anchor\n")},
    {"LoopsOfDifferentLengthAreOnePassEach",
     Times(4, kFive) + "between\n" + Times(3, "another one\na\nb\nc\nd\ne\n"),
     Header(4, 5) + kFive + LeftOut(2) + kFive + kEnd + "between\n" +
         Header(3, 6) + "another one\na\nb\nc\nd\ne\n" + LeftOut(1) +
         "another one\na\nb\nc\nd\ne\n" + kEnd},
    {"SameLoopInTwoPlaces", Times(4, kFive) + "between\n" + Times(3, kFive),
     Header(4, 5) + kFive + LeftOut(2) + kFive + kEnd + "between\n" +
         Header(3, 5) + kFive + LeftOut(1) + kFive + kEnd},
    // The inner one first; what is left of it is part of the outer one.
    {"LoopInALoop", Times(3, "outer\n" + Times(3, kFive) + "goes on\n"),
     Header(3, 15) + "outer\n" + Header(3, 5) + kFive + LeftOut(1) + kFive +
         kEnd + "goes on\n" + LeftOut(1) + "outer\n" + Header(3, 5) + kFive +
         LeftOut(1) + kFive + kEnd + "goes on\n" + kEnd},
};

class CycleCollapseCaseTest : public ::testing::TestWithParam<Case> {};

TEST_P(CycleCollapseCaseTest, HasThisResult) {
  EXPECT_EQ(CollapseCycles(GetParam().log), GetParam().collapsed);
}

INSTANTIATE_TEST_SUITE_P(All, CycleCollapseCaseTest,
                         ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

std::string Numbered(const char* text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, text, i, "\n");
  return all;
}

// Each would take hours where the time grows with the square of the lines.
TEST(CycleCollapseTest, TimeIsLinearInWhateverComes) {
  constexpr int kMany = 400000;
  for (const std::string& log :
       {std::string(kMany, '\n'), Numbered("differs each time ", kMany),
        Times(kMany, "the anchor\n"), Times(kMany / 3, "the anchor\na\nb\n"),
        // Two far distances that are equal, and many anchors that see the
        // blocks repeat, but not often enough.
        "the anchor\n" + Numbered("a", kMany / 4) + "the anchor\n" +
            Numbered("b", kMany / 4) + Times(kMany * 5 / 8, "the anchor\n")}) {
    EXPECT_LE(CollapseCycles(log).size(), log.size());
  }
}

TEST(CycleCollapseTest, LongLogBecomesShort) {
  std::string log = "0: (b7) r1 = 0\n";
  for (int i = 0; i < 100000; ++i) {
    absl::StrAppend(&log, "; sum += i @ loop.bpf.c:7\n",
                    "4: (0f) r2 += r1                 ; R2_w=", i, "\n",
                    "5: (07) r1 += 1                  ; R1_w=", i + 1, "\n",
                    "6: (bf) r3 = r1                  ; R3_w=", i + 1, "\n",
                    "7: (a5) if r3 < 0xf4240 goto pc-4\n");
  }
  absl::StrAppend(&log, "BPF program is too large\n");
  EXPECT_EQ(CollapseCycles(log),
            "0: (b7) r1 = 0\n" + Header(100000, 5) +
                "; sum += i @ loop.bpf.c:7\n"
                "4: (0f) r2 += r1                 ; R2_w=0\n"
                "5: (07) r1 += 1                  ; R1_w=1\n"
                "6: (bf) r3 = r1                  ; R3_w=1\n"
                "7: (a5) if r3 < 0xf4240 goto pc-4\n" +
                LeftOut(99998) +
                "; sum += i @ loop.bpf.c:7\n"
                "4: (0f) r2 += r1                 ; R2_w=99999\n"
                "5: (07) r1 += 1                  ; R1_w=100000\n"
                "6: (bf) r3 = r1                  ; R3_w=100000\n"
                "7: (a5) if r3 < 0xf4240 goto pc-4\n" +
                kEnd + "BPF program is too large\n");
}

}  // namespace
}  // namespace ktstr
