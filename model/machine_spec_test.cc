// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/machine_spec.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(MachineSpecTest, SurvivesItsOwnText) {
  MachineSpec spec;
  spec.topology = *Topology::Parse("1n2l2c2t");
  spec.memory_mib = 2048;
  spec.kernel_fd = 5;
  spec.initrd_fds = {6, 7};
  spec.cmdline = "quiet ktstr.epoch=3";
  spec.console = ConsoleDevice::kVirtio;
  spec.vsock_path = "/run/x/vsock";
  spec.deadline = absl::Seconds(90);
  ASSERT_OK_AND_ASSIGN(MachineSpec copy,
                       ParseMachineSpec(FormatMachineSpec(spec)));
  EXPECT_EQ(copy.topology, spec.topology);
  EXPECT_EQ(copy.memory_mib, 2048);
  EXPECT_EQ(copy.kernel_fd, 5);
  EXPECT_THAT(copy.initrd_fds, ElementsAre(6, 7));
  EXPECT_EQ(copy.cmdline, spec.cmdline);
  EXPECT_EQ(copy.console, ConsoleDevice::kVirtio);
  EXPECT_EQ(copy.vsock_path, spec.vsock_path);
  EXPECT_EQ(copy.deadline, absl::Seconds(90));
}

TEST(MachineSpecTest, NamesTheBadKeyAndWhatIsAccepted) {
  for (const auto& [text, expected] :
       {std::pair{"[]", "not one JSON object"},
        {"{", "not one JSON object"},
        {R"({"memory_mib": 0})", "\"memory_mib\" must be an integer from 1"},
        {R"({"memory_mib": 18446744073709551615})", "memory_mib"},
        {R"({"cmdline": 3})", "\"cmdline\" must be a string"},
        {R"({"console": "vga"})", "\"serial\" or \"virtio\""},
        {R"({"topology": "x"})", "NnNlNcNt"},
        {R"({"vsock_cid": 2})", "from 3 to"},
        {R"({"colour": 1})", "unknown key \"colour\""}}) {
    EXPECT_THAT(
        ParseMachineSpec(text),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(expected)));
  }
}

TEST(MachineEventTest, EndCarriesKindAndDetail) {
  MachineEvent event = {.name = "end",
                        .at = absl::Microseconds(12),
                        .end = MachineEnd::kTripleFault,
                        .detail = "rip=0x10"};
  ASSERT_OK_AND_ASSIGN(MachineEvent copy,
                       ParseMachineEvent(FormatMachineEvent(event)));
  EXPECT_EQ(copy.end, MachineEnd::kTripleFault);
  EXPECT_EQ(copy.detail, "rip=0x10");
  EXPECT_EQ(copy.at, absl::Microseconds(12));
}

TEST(MachineEventTest, RejectsOtherLines) {
  for (const char* line : {"", "null", "{}", R"({"event": 1, "at_us": 1})",
                           R"({"event": "end"})"}) {
    EXPECT_THAT(ParseMachineEvent(line),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_OK(ParseMachineEvent(
      R"({"event": "end", "at_us": 1, "kind": 5, "detail": []})"));
}

}  // namespace
}  // namespace ktstr
