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
  spec.shares_memory = true;
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
  EXPECT_TRUE(copy.shares_memory);
  EXPECT_EQ(copy.vsock_path, spec.vsock_path);
  EXPECT_EQ(copy.deadline, absl::Seconds(90));
}

TEST(MachineSpecTest, DetailsSurviveTheirOwnText) {
  MachineSpec spec;
  spec.topology = *Topology::Parse("2n4l1c1t");
  spec.memory_mib = 896;
  spec.details = {
      .nodes = {{.llcs = 3,
                 .memory_mib = 512,
                 .latency_ns = 81,
                 .bandwidth_mbps = 42000},
                {.llcs = 1, .memory_mib = 256},
                {.memory_mib = 128,
                 .memory_side_cache =
                     MemorySideCache{
                         .size_mib = 64,
                         .line_bytes = 128,
                         .indexing = MemorySideCache::Indexing::kComplex,
                         .write_policy =
                             MemorySideCache::WritePolicy::kWriteThrough}}},
      .distances = {{10, 17, 30}, {17, 10, 40}, {30, 40, 10}},
      .latency_ns = {{80, 160, 400}, {161, 81, 401}},
      .bandwidth_mbps = {{51200, 20000, 9000}, {20000, 51200, 9001}},
      .caches = {.l1d = {.size_kib = 48, .ways = 12},
                 .l3 = {.size_kib = 24576, .ways = 12, .line_bytes = 128}},
      .cpu_vendor = CpuVendor::kIntel,
      .llcs_are = LlcsAre::kPackages};
  ASSERT_OK_AND_ASSIGN(MachineSpec copy,
                       ParseMachineSpec(FormatMachineSpec(spec)));
  EXPECT_EQ(copy.details, spec.details);
}

TEST(MachineSpecTest, DetailsMustFitTopologyAndMemory) {
  EXPECT_THAT(
      ParseMachineSpec(R"({"topology": "1n1l1c1t", "memory_mib": 256,
                           "nodes": [{"llcs": 1, "memory_mib": 255}]})"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("255 MiB")));
}

TEST(MachineSpecTest, PerformanceModeSurvivesTheText) {
  MachineSpec spec;
  spec.topology = *Topology::Parse("1n1l2c1t");
  spec.performance = PerformanceSpec{
      .vcpu_cpus = {4, 6}, .service_cpu = 5, .memory_nodes = {1}};
  ASSERT_OK_AND_ASSIGN(MachineSpec copy,
                       ParseMachineSpec(FormatMachineSpec(spec)));
  EXPECT_EQ(copy.performance, spec.performance);
}

TEST(MachineSpecTest, PerformanceModeMustFitTheMachine) {
  for (const auto& [performance, expected] :
       {std::pair{R"({"vcpu_cpus": [0], "service_cpu": 9})",
                  "1 host CPUs for 2 vCPUs"},
        {R"({"vcpu_cpus": [3, 3], "service_cpu": 9})", "CPU 3 is named twice"},
        {R"({"vcpu_cpus": [3, 9], "service_cpu": 9})", "CPU 9 is named twice"},
        {R"({"vcpu_cpus": [3, 4], "memory_nodes": [0, 1]})",
         "2 host nodes for 1 guest nodes"},
        {R"({"vcpu_cpus": 3})", "\"performance.vcpu_cpus\" must be an array"},
        {R"({"fast": true})", "unknown key \"performance.fast\""},
        {"[]", "\"performance\" must be an object"}}) {
    EXPECT_THAT(
        ParseMachineSpec(absl::StrCat(
            R"({"topology": "1n1l2c1t", "performance": )", performance, "}")),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(expected)));
  }
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
        {R"({"nodes": {}})", "\"nodes\" must be an array of objects"},
        {R"({"nodes": [1]})", "\"nodes\" must be an array of objects"},
        {R"({"nodes": [{"cpus": 1}]})", "unknown key \"nodes.cpus\""},
        {R"({"nodes": [{"memory_side_cache": {"ways": 1}}]})",
         "unknown key \"memory_side_cache.ways\""},
        {R"({"distances": [10]})", "each an array of integers"},
        {R"({"latency_ns": [[-1]]})", "\"latency_ns\" must be an integer"},
        {R"({"caches": {"l4": {}}})", "unknown key \"caches.l4\""},
        {R"({"caches": {"l2": {"kib": 1}}})", "unknown key \"l2.kib\""},
        {R"({"cpu_vendor": "via"})", "one of \"host\", \"intel\", \"amd\""},
        {R"({"llcs_are": 1})", "one of \"groups\", \"dies\", \"packages\""},
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
