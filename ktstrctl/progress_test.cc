// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/progress.h"

#include <stdlib.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fleet.pb.h"

namespace ktstr::ktstrctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ProgressTest : public ::testing::Test {
 protected:
  ~ProgressTest() override {
    fclose(out_);
    free(buffer_);
  }
  std::string Text() {
    fflush(out_);
    return std::string(buffer_, size_);
  }
  static v1::Variant MakeVariant(v1::VariantState state, v1::Phase phase) {
    v1::Variant variant;
    variant.mutable_spec()->set_name("ktstr/\x1b[2Jsteady");
    variant.set_state(state);
    variant.set_phase(phase);
    variant.set_host_id("h1");
    variant.set_epoch(1);
    variant.mutable_result()->set_outcome(v1::PASS);
    return variant;
  }

  char* buffer_ = nullptr;
  size_t size_ = 0;
  FILE* out_ = open_memstream(&buffer_, &size_);
  FakeClock clock_;
};

TEST_F(ProgressTest, PlainOutputHasALineForStartAndEnd) {
  Progress progress({.out = out_, .clock = &clock_});
  progress.SetTotal(1);
  progress.Update(MakeVariant(v1::LEASED, v1::PHASE_UNSPECIFIED));
  progress.Update(MakeVariant(v1::LEASED, v1::HELLO));
  progress.Update(MakeVariant(v1::LEASED, v1::WORKLOAD_STARTED));
  progress.Update(MakeVariant(v1::DONE, v1::SHUT_DOWN));
  progress.Redraw();
  EXPECT_EQ(Text(),
            "VMM_UP   ktstr/\\x1b[2Jsteady  on h1\n"
            "PASS     [1/1] ktstr/\\x1b[2Jsteady  0.00 s\n");
}

TEST_F(ProgressTest, TerminalHasOneAreaThatIsRedrawn) {
  Progress progress(
      {.out = out_,
       .terminal = {.is_terminal = true, .has_colour = false, .width = 40},
       .clock = &clock_});
  progress.SetTotal(2);
  progress.Update(MakeVariant(v1::LEASED, v1::HELLO));
  progress.Redraw();
  EXPECT_THAT(Text(), HasSubstr("[0/2] 0 passed, 1 running"));
  clock_.Advance(absl::Seconds(2));
  progress.Redraw();
  EXPECT_THAT(Text(), HasSubstr("\x1b[2A\r\x1b[J"));
  EXPECT_THAT(Text(), Not(HasSubstr("\x1b[2Jsteady")));
}

TEST_F(ProgressTest, QuietSaysNothing) {
  Progress progress({.out = out_, .is_quiet = true, .clock = &clock_});
  progress.Stage("uploading: 1 of 2 MiB");
  progress.Note("hello");
  progress.Update(MakeVariant(v1::DONE, v1::SHUT_DOWN));
  EXPECT_THAT(Text(), IsEmpty());
}

}  // namespace
}  // namespace ktstr::ktstrctl
