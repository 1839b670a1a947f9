// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/kvm/exit_text.h"

#include <cstring>
#include <initializer_list>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class ExitTextTest : public testing::Test {
 protected:
  std::string InternalError(uint32_t suberror,
                            std::initializer_list<uint64_t> data) {
    run_->internal.suberror = suberror;
    run_->internal.ndata = uint32_t(data.size());
    std::copy(data.begin(), data.end(), run_->internal.data);
    return InternalErrorText(*run_);
  }

  std::unique_ptr<kvm_run> run_ = std::make_unique<kvm_run>();
};

TEST_F(ExitTextTest, NamesEverySuberror) {
  EXPECT_EQ(InternalError(1, {}), "KVM internal error 1 (EMULATION)");
  EXPECT_EQ(InternalError(2, {}), "KVM internal error 2 (SIMUL_EX)");
  EXPECT_EQ(InternalError(3, {}), "KVM internal error 3 (DELIVERY_EV)");
  EXPECT_EQ(InternalError(4, {0x30, 2}),
            "KVM internal error 4 (UNEXPECTED_EXIT_REASON), data 0x30 0x2");
  EXPECT_EQ(InternalError(77, {}), "KVM internal error 77 (unknown)");
}

TEST_F(ExitTextTest, TellsTheInstructionThatCouldNotBeEmulated) {
  // Three bytes, 0f 01 d9, in little-endian words after the flags.
  EXPECT_EQ(InternalError(1, {1, 0x00000000d9010f03, 0}),
            "KVM internal error 1 (EMULATION), data 0x1 0xd9010f03 0, "
            "insn=0f01d9");
}

TEST_F(ExitTextTest, TellsNoInstructionWhereTheFlagsOrTheCountSaySo) {
  EXPECT_THAT(InternalError(1, {0, 0xd9010f03, 0}), Not(HasSubstr("insn")));
  EXPECT_THAT(InternalError(1, {1, 0xd9010f03}), Not(HasSubstr("insn")));
  EXPECT_THAT(InternalError(3, {1, 0xd9010f03, 0}), Not(HasSubstr("insn")));
}

TEST_F(ExitTextTest, BelievesNoCount) {
  run_->internal.suberror = ~0u;
  run_->internal.ndata = ~0u;
  std::memset(run_->internal.data, 0xff, sizeof(run_->internal.data));
  EXPECT_LE(InternalErrorText(*run_).size(), kMaxExitTextBytes);
  run_->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
  const std::string text = InternalErrorText(*run_);
  EXPECT_LE(text.size(), kMaxExitTextBytes);
  EXPECT_THAT(text, EndsWith("insn=" + std::string(30, 'f')));
}

TEST_F(ExitTextTest, NamesReasonAndCpuOfAnEntryFailure) {
  run_->fail_entry.hardware_entry_failure_reason = 0x80000021;
  run_->fail_entry.cpu = 7;
  EXPECT_EQ(EntryFailureText(*run_),
            "hardware entry failure reason 0x80000021 (invalid guest state) "
            "on host CPU 7");
  run_->fail_entry.hardware_entry_failure_reason = ~uint64_t{0};
  EXPECT_THAT(EntryFailureText(*run_), HasSubstr("(invalid guest state (VMCB"));
  run_->fail_entry.hardware_entry_failure_reason = 7;
  EXPECT_THAT(EntryFailureText(*run_), HasSubstr("0x7 (no name)"));
}

}  // namespace
}  // namespace ktstr::vmm
