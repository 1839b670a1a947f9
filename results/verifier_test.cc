// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/verifier.h"

#include <errno.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"

namespace ktstr::results {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::BpfProgram& Add(v1::BpfPrograms& loaded, const std::string& name,
                    uint32_t verified) {
  v1::BpfProgram& program = *loaded.add_programs();
  program.set_name(name);
  program.set_type("struct_ops");
  program.set_is_accepted(true);
  program.set_insns(10);
  program.set_verified_insns(verified);
  return program;
}

v1::BpfProgram& AddRefused(v1::BpfPrograms& loaded, const std::string& name) {
  v1::BpfProgram& program = *loaded.add_programs();
  program.set_name(name);
  program.set_type("struct_ops");
  program.set_error(EACCES);
  return program;
}

TEST(ProgramLineTest, LeavesOutWhatIsNotKnown) {
  v1::BpfPrograms loaded;
  v1::BpfProgram& whole = Add(loaded, "enqueue", 120);
  whole.set_processed_insns(120);
  whole.set_total_states(9);
  whole.set_peak_states(8);
  whole.set_max_states_per_insn(2);
  whole.add_stack_depths(16);
  whole.add_stack_depths(8);
  whole.mutable_verification_time()->set_nanos(1500000);
  AddRefused(loaded, "init\n\x1b[2J");
  EXPECT_THAT(
      ProgramLines(loaded),
      ElementsAre("enqueue       verified_insns=120 processed_insns=120 "
                  "total_states=9 peak_states=8 max_states_per_insn=2 "
                  "stack=16+8 verification_us=1500 insns=10 type=struct_ops",
                  "init \\x1b[2J  refused (Permission denied) "
                  "type=struct_ops"));
}

TEST(ComparisonTableTest, IsSymmetricAndPairsRepeatedNames) {
  v1::BpfPrograms a;
  v1::BpfPrograms b;
  Add(a, "same", 5);
  Add(a, "gone", 7);
  Add(a, "twice", 10);
  Add(a, "twice", 20);
  AddRefused(a, "bad");
  Add(b, "fresh", 3);
  Add(b, "twice", 11);
  Add(b, "twice", 15);
  Add(b, "same", 5);
  Add(b, "bad", 1);
  EXPECT_EQ(ComparisonTable(ComparePrograms(a, b), "old", "new"),
            "PROGRAM  A (old)  B (new)  B - A\n"
            "same     5        5        +0\n"
            "gone     7        -        only A\n"
            "twice    10       11       +1\n"
            "twice    20       15       -5\n"
            "bad      refused  1        -\n"
            "fresh    -        3        only B\n");
}

TEST(BudgetWarningsTest, AreByTheHighestFigureOfAProgram) {
  v1::Variant variants[3];
  for (v1::Variant& variant : variants) {
    variant.mutable_spec()->mutable_scheduler()->set_name("scx");
  }
  auto programs = [&](int i) -> v1::BpfPrograms& {
    return *variants[i].mutable_result()->mutable_bpf_programs();
  };
  Add(programs(0), "under", 749999);
  Add(programs(0), "over", 750000);
  Add(programs(1), "over", 812345);
  // A refused program has no record of its own.
  AddRefused(programs(2), "endless").set_processed_insns(1000001);
  EXPECT_THAT(
      BudgetWarnings({&variants[0], &variants[1], &variants[2]}),
      ElementsAre("warning: scheduler scx: the verifier looked at 1000001 "
                  "instructions of program endless, 100 % of the 1000000 it "
                  "allows",
                  "warning: scheduler scx: the verifier looked at 812345 "
                  "instructions of program over, 81 % of the 1000000 it "
                  "allows"));
  EXPECT_THAT(BudgetWarnings({}), IsEmpty());
}

TEST(RefusedProgramTest, IsTheFirstThatWasNotAccepted) {
  v1::BpfPrograms loaded;
  Add(loaded, "good", 1);
  EXPECT_EQ(RefusedProgram(loaded), nullptr);
  AddRefused(loaded, "first");
  AddRefused(loaded, "second");
  EXPECT_EQ(RefusedProgram(loaded)->name(), "first");
}

TEST(BpfProgramsJsonTest, NullMeansNotSaid) {
  v1::BpfPrograms loaded;
  loaded.set_missing("not traced");
  Add(loaded, "good", 0);
  AddRefused(loaded, "bad").set_log("text");
  nlohmann::ordered_json json = BpfProgramsJson(loaded);
  EXPECT_EQ(json["missing"], "not traced");
  EXPECT_EQ(json["programs"][0]["verified_insns"], 0);
  EXPECT_TRUE(json["programs"][0]["total_states"].is_null());
  EXPECT_TRUE(json["programs"][0]["errno"].is_null());
  EXPECT_TRUE(json["programs"][1]["verified_insns"].is_null());
  EXPECT_EQ(json["programs"][1]["errno"], EACCES);
  EXPECT_EQ(json["programs"][1]["log_bytes_dropped"], 0);
}

}  // namespace
}  // namespace ktstr::results
