// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Tiny guests on the real /dev/kvm.

#include "vmm/machine.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/descriptor_passing.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/memory_map.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/performance.h"
#include "vmm/testing/guest_program.h"
#include "vmm/testing/guest_run.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

// Pages the boot protocol leaves free, for page directories of a guest.
constexpr uint64_t kTable = 0xC000;
constexpr uint64_t kSecondTable = 0xD000;

MachineSpec Memory(int64_t mib) {
  MachineSpec spec;
  spec.memory_mib = mib;
  return spec;
}

class MachineTest : public testing::Test {
 protected:
  void SetUp() override { KTSTR_REQUIRE_KVM(); }

  GuestRun Run(const GuestProgram& program, MachineSpec spec = {}) {
    absl::StatusOr<GuestRun> run = RunGuest(program, spec);
    EXPECT_OK(run.status());
    return run.value_or(GuestRun());
  }
};

TEST_F(MachineTest, PowerOffIsTypedAndTheConsoleIsComplete) {
  GuestRun run = Run(GuestProgram().Print("hello\nrest").PowerOff());
  EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff);
  EXPECT_EQ(run.console, "hello\nrest");
}

TEST_F(MachineTest, ReportListsEveryStepInOrder) {
  MachineSpec spec;
  spec.topology = *Topology::Parse("1n1l3c1t");
  GuestRun run = Run(GuestProgram().Print("x").PowerOff(), spec);
  std::vector<std::string> names;
  for (const auto& event : run.events) names.push_back(event.name);
  EXPECT_THAT(names, testing::ElementsAre("slots", "vcpus", "loaded", "entry",
                                          "first-io", "console", "end"));
  for (size_t i = 1; i < run.events.size(); ++i) {
    EXPECT_LE(run.events[i - 1].at, run.events[i].at);
  }
  const MachineEvent* vcpus = run.Find("vcpus");
  ASSERT_NE(vcpus, nullptr);
  EXPECT_EQ(std::set<int>(vcpus->tids.begin(), vcpus->tids.end()).size(), 3u);
}

// On a host that has what it takes the guest runs on CPUs of its own; on any
// other it does not run at all, and the report says why.
TEST_F(MachineTest, PerformanceModeIsKeptOrRefusedWithReasons) {
  const HostOffer offer = ReadHostOffer();
  MachineSpec spec = Memory(16);
  spec.performance = PerformanceSpec{.vcpu_cpus = {offer.cpus.front()},
                                     .service_cpu = offer.cpus.back()};
  const absl::Status wanted =
      CheckOffer(offer, *spec.performance, spec.memory_mib);
  absl::StatusOr<GuestRun> run =
      RunGuest(GuestProgram().Print("x").PowerOff(), spec);
  if (!wanted.ok()) {
    EXPECT_EQ(run.status(), wanted);
  } else if (run.ok()) {
    EXPECT_EQ(run->outcome.end, MachineEnd::kPowerOff) << run->outcome.detail;
  } else {
    EXPECT_THAT(run.status(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                       HasSubstr("inside the guest")));
  }
}

TEST_F(MachineTest, PerformanceModeOnACpuThatDoesNotExistIsRefused) {
  MachineSpec spec = Memory(16);
  spec.performance = PerformanceSpec{.vcpu_cpus = {9999}, .service_cpu = 9998};
  EXPECT_THAT(RunGuest(GuestProgram().PowerOff(), spec),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("host CPUs 9998-9999 are asked for")));
}

TEST_F(MachineTest, KeyboardControllerResetIsAReset) {
  EXPECT_EQ(Run(GuestProgram().Reset()).outcome.end, MachineEnd::kReset);
}

TEST_F(MachineTest, FaultWithoutHandlerIsATripleFault) {
  GuestRun run = Run(GuestProgram().Print("x").TripleFault());
  EXPECT_EQ(run.outcome.end, MachineEnd::kTripleFault) << run.outcome.detail;
  EXPECT_THAT(run.outcome.detail, HasSubstr("rip="));
}

// CMPXCHG16B on an address without RAM must be emulated, and no KVM can.
TEST_F(MachineTest, InternalErrorNamesTheInstructionAndTheRegisters) {
  GuestProgram program;
  const uint64_t beyond = 64 * kMiB;
  program.Print("x").Raw({0xBB, 0x00, 0x00, 0x00, 0x04});  // mov ebx, beyond
  const uint64_t at = program.here();
  program.Raw({0x48, 0x0F, 0xC7, 0x0B});  // cmpxchg16b [rbx]
  GuestRun run = Run(program, Memory(64));
  EXPECT_EQ(run.outcome.end, MachineEnd::kInternalError) << run.outcome.detail;
  EXPECT_THAT(run.outcome.detail, HasSubstr("cpu 0: KVM internal error 1 "
                                            "(EMULATION)"));
  EXPECT_THAT(run.outcome.detail, HasSubstr(absl::StrFormat("rip=%#x ", at)));
  EXPECT_THAT(run.outcome.detail,
              HasSubstr(absl::StrFormat("rbx=%#x ", beyond)));
  EXPECT_THAT(run.outcome.detail, HasSubstr("code=480fc70b"));
  EXPECT_THAT(run.outcome.detail, Not(HasSubstr("\n")));
  EXPECT_LT(run.outcome.detail.size(), 2048u);
}

TEST_F(MachineTest, CodeOutsideOfRamIsSaidToBeThere) {
  GuestProgram program;
  // mov ebx, 0x4000000; jmp rbx
  program.Print("x").Raw({0xBB, 0x00, 0x00, 0x00, 0x04, 0xFF, 0xE3});
  GuestRun run = Run(program, Memory(64));
  EXPECT_EQ(run.outcome.end, MachineEnd::kInternalError) << run.outcome.detail;
  EXPECT_THAT(run.outcome.detail, HasSubstr("rip=0x4000000 "));
  EXPECT_THAT(run.outcome.detail, HasSubstr("code=not in RAM"));
}

TEST_F(MachineTest, SpinningGuestEndsAtItsDeadline) {
  MachineSpec spec;
  spec.topology = *Topology::Parse("1n1l2c1t");
  spec.deadline = absl::Milliseconds(100);
  GuestRun run = Run(GuestProgram().Print("x").Spin(), spec);
  EXPECT_EQ(run.outcome.end, MachineEnd::kDeadline);
  EXPECT_THAT(run.outcome.detail, HasSubstr("100ms"));
  EXPECT_THAT(run.outcome.detail, HasSubstr("cpu 0 at 0x10"));
  absl::Duration took = run.Find("end")->at - run.Find("slots")->at;
  EXPECT_GE(took, absl::Milliseconds(95));
}

TEST_F(MachineTest, HaltedGuestEndsAtItsDeadline) {
  MachineSpec spec;
  spec.deadline = absl::Milliseconds(50);
  EXPECT_EQ(Run(GuestProgram().Halt(), spec).outcome.end,
            MachineEnd::kDeadline);
}

// Ends the machine from outside once its guest runs.
class OwnerTest : public MachineTest {
 protected:
  GuestRun RunUntilFirstIoThen(std::function<void(UniqueFd&)> act) {
    int control[2], report[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), 0);
    EXPECT_EQ(pipe2(report, O_CLOEXEC), 0);
    UniqueFd ours(control[0]), theirs(control[1]);
    UniqueFd lines(report[0]), report_end(report[1]);
    Thread owner("owner", [&] {
      std::string seen;
      char byte;
      while (seen.find("first-io") == std::string::npos &&
             read(lines.get(), &byte, 1) == 1) {
        seen += byte;
      }
      act(ours);
    });
    MachineSpec spec;
    spec.control_fd = theirs.get();
    spec.report_fd = report_end.get();
    GuestRun run = Run(GuestProgram().Print("x").Spin(), spec);
    report_end.Reset();
    return run;
  }
};

TEST_F(OwnerTest, HangUpOfTheControlSocketStopsTheMachine) {
  GuestRun run = RunUntilFirstIoThen([](UniqueFd& fd) { fd.Reset(); });
  EXPECT_EQ(run.outcome.end, MachineEnd::kStopped);
  EXPECT_THAT(run.outcome.detail, HasSubstr("went away"));
}

TEST_F(OwnerTest, QuitByteStopsTheMachine) {
  GuestRun run = RunUntilFirstIoThen(
      [](UniqueFd& fd) { EXPECT_EQ(write(fd.get(), "xq", 2), 2); });
  EXPECT_EQ(run.outcome.end, MachineEnd::kStopped);
  EXPECT_THAT(run.outcome.detail, HasSubstr("said so"));
}

TEST_F(MachineTest, RamEndsWhereDeclaredAndReadsAsOnesBeyond) {
  const uint64_t end = 64 * kMiB;
  GuestRun run = Run(GuestProgram()
                         .Store32(end - 4, 0x12345678)
                         .Load32(end - 4)
                         .PrintIfEaxIs(0x12345678, 'r', '!')
                         .Store32(end, 0x12345678)
                         .Load32(end)
                         .PrintIfEaxIs(0xFFFFFFFF, 'e', '!')
                         .PowerOff(),
                     Memory(64));
  EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
  EXPECT_EQ(run.console, "re");
}

TEST_F(MachineTest, HoleHasNoRamAndRamGoesOnAboveFourGiB) {
  const uint64_t last_low = kHoleStart - 4;
  GuestRun run = Run(GuestProgram()
                         .MapLargePage(last_low, kTable)
                         .Store32(last_low, 0x11111111)
                         .Load32(last_low)
                         .PrintIfEaxIs(0x11111111, 'l', '!')
                         .MapLargePage(kHoleStart, kTable)
                         .Store32(kHoleStart, 0x22222222)
                         .Load32(kHoleStart)
                         .PrintIfEaxIs(0xFFFFFFFF, 'h', '!')
                         .MapLargePage(kHighRam, kSecondTable)
                         .Store32(kHighRam, 0x33333333)
                         .Load32(kHighRam)
                         .PrintIfEaxIs(0x33333333, 'H', '!')
                         .Store32(kHighRam + kMiB - 4, 0x44444444)
                         .Load32(kHighRam + kMiB - 4)
                         .PrintIfEaxIs(0x44444444, 't', '!')
                         .Load32(kHighRam + kMiB)
                         .PrintIfEaxIs(0xFFFFFFFF, 'e', '!')
                         .PowerOff(),
                     Memory(3073));
  EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
  EXPECT_EQ(run.console, "lhHte");
}

TEST_F(MachineTest, EveryNodeHasItsMemory) {
  MachineSpec spec = Memory(10);
  spec.topology = *Topology::Parse("3n3l1c1t");
  GuestProgram program;
  for (uint64_t mib = 2; mib < 10; ++mib) {
    program.Store32(mib * kMiB, uint32_t(mib))
        .Load32(mib * kMiB)
        .PrintIfEaxIs(uint32_t(mib), '.', '!');
  }
  EXPECT_EQ(Run(program.PowerOff(), spec).console, "........");
}

TEST_F(MachineTest, PortNobodyHasReadsAsOnes) {
  GuestRun run = Run(GuestProgram()
                         .In8(0x1234)
                         .PrintIfEaxIs(0xFF, 'y', 'n')
                         .Out8(0x1234, 1)
                         .PowerOff());
  EXPECT_EQ(run.console, "y");
}

TEST_F(MachineTest, StringOutputReachesTheDeviceByteByByte) {
  // mov esi, address; mov ecx, 4; mov dx, port; rep outsb
  GuestProgram program;
  program.Store32(0x1000, 0x64636261)
      .Raw({0xBE, 0x00, 0x10, 0x00, 0x00, 0xB9, 0x04, 0x00, 0x00, 0x00, 0x66,
            0xBA, 0xF8, 0x03, 0xF3, 0x6E})
      .PowerOff();
  EXPECT_EQ(Run(program).console, "abcd");
}

// Has the boot CPU start the one with this APIC id, in x2APIC mode.
GuestProgram StartCpu(uint64_t apic_id) {
  constexpr uint64_t kTrampoline = 0x8000, kFlag = 0x8100;
  constexpr uint32_t kApicBase = 0x1B, kX2ApicIcr = 0x830;
  const uint64_t target = apic_id << 32;
  GuestProgram program;
  // In real mode: mov al, 'A'; mov dx, 0x3f8; out dx, al;
  // mov byte [0x8100], 1; hlt; jmp -3
  program.Store32(kTrampoline, 0xF8BA41B0)
      .Store32(kTrampoline + 4, 0x06C6EE03)
      .Store32(kTrampoline + 8, 0xF4018100)
      .Store32(kTrampoline + 12, 0x0000FDEB)
      .Store32(kFlag, 0)
      .Print("b")
      .WriteMsr(kApicBase, kLocalApic | 0xD00)  // enabled, x2APIC, boot CPU
      .WriteMsr(kX2ApicIcr, target | 0x4500)    // INIT
      .WriteMsr(kX2ApicIcr, target | 0x4600 | kTrampoline >> 12)  // SIPI
      .WaitFor32(kFlag, 1)
      .Print("c")
      .PowerOff();
  return program;
}

TEST_F(MachineTest, SecondCpuStartsByInitAndSipi) {
  MachineSpec spec;
  spec.topology = *Topology::Parse("1n1l2c1t");
  GuestRun run = Run(StartCpu(1), spec);
  EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
  EXPECT_EQ(run.console, "bAc");
}

TEST_F(MachineTest, CpuBeyondTheReachOfAnXapicStarts) {
  MachineSpec spec;
  spec.topology = *Topology::Parse("1n14l9c2t");
  GuestRun run = Run(StartCpu(13 << 5 | 8 << 1 | 1), spec);
  EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
  EXPECT_EQ(run.console, "bAc");
}

TEST_F(MachineTest, ZeroPageNamesTheTablesAndTheCommandLine) {
  MachineSpec spec;
  spec.cmdline = "argument";
  GuestRun run = Run(GuestProgram()
                         .Load32(kBootParams + 0x70)  // acpi_rsdp_addr
                         .PrintIfEaxIs(uint32_t(kAcpiTables), 'a', '!')
                         .Load32(kBootParams + 0x228)  // cmd_line_ptr
                         .PrintIfEaxIs(uint32_t(kCmdline), 'c', '!')
                         .Load32(kAcpiTables)
                         .PrintIfEaxIs(0x20445352, 'r', '!')  // "RSD "
                         .PowerOff(),
                     spec);
  EXPECT_EQ(run.console, "acr");
}

TEST_F(MachineTest, ManyMachinesInARowLeaveNoDescriptor) {
  auto count = [] { return ListDir("/proc/self/fd")->size(); };
  Run(GuestProgram().PowerOff());
  size_t before = count();
  for (int i = 0; i < 3; ++i) Run(GuestProgram().Print("x").PowerOff());
  EXPECT_EQ(count(), before);
}

class MachineSetupTest : public testing::Test {
 protected:
  absl::Status Create(MachineSpec spec) {
    Report report(-1, &RealClock());
    return Machine::Create(spec, &report).status();
  }
};

TEST_F(MachineSetupTest, NamesTheAbsentKernel) {
  EXPECT_THAT(Create({}), StatusIs(absl::StatusCode::kInvalidArgument,
                                   HasSubstr("kernel_fd")));
}

TEST_F(MachineSetupTest, NamesWhatTheKernelFileIsInstead) {
  KTSTR_REQUIRE_KVM();
  UniqueFd script(memfd_create("script", MFD_CLOEXEC));
  ASSERT_OK(WriteAll(script.get(), "#!/bin/sh\n"));
  MachineSpec spec;
  spec.kernel_fd = script.get();
  EXPECT_THAT(Create(spec), StatusIs(absl::StatusCode::kInvalidArgument,
                                     HasSubstr("not an ELF file")));
}

TEST_F(MachineSetupTest, SharesItsMemoryWithItsOwner) {
  KTSTR_REQUIRE_KVM();
  UniqueFd kernel(memfd_create("kernel", MFD_CLOEXEC));
  ASSERT_OK(WriteAll(kernel.get(), GuestProgram().Halt().BuildElf()));
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  MachineSpec spec;
  spec.topology = *Topology::Parse("2n2l1c1t");
  spec.memory_mib = 64;
  spec.kernel_fd = kernel.get();
  spec.control_fd = theirs.get();
  spec.shares_memory = true;
  ASSERT_OK(Create(spec));
  ASSERT_OK_AND_ASSIGN(PassedDescriptors received,
                       ReceiveDescriptors(ours.get(), kMaxMemoryMapBytes));
  EXPECT_EQ(received.fds.size(), 2u);  // one for each node
  ASSERT_OK_AND_ASSIGN(
      std::vector<MappedRam> ram,
      ParseMemoryMap(received.bytes, int(received.fds.size())));
  uint64_t bytes = 0;
  for (const MappedRam& part : ram) bytes += part.size_bytes;
  EXPECT_EQ(bytes, uint64_t{64} << 20);
  // The boot tables are there, and nobody can take the file away.
  uint8_t loader = 0;
  ASSERT_EQ(pread(received.fds[0].get(), &loader, 1, kBootParams + 0x210), 1);
  EXPECT_EQ(loader, 0xff);
  EXPECT_NE(fcntl(received.fds[0].get(), F_GET_SEALS) & F_SEAL_SHRINK, 0);
}

TEST_F(MachineSetupTest, NamesASocketThatIsNone) {
  KTSTR_REQUIRE_KVM();
  UniqueFd kernel(memfd_create("kernel", MFD_CLOEXEC));
  ASSERT_OK(WriteAll(kernel.get(), GuestProgram().Halt().BuildElf()));
  MachineSpec spec;
  spec.kernel_fd = kernel.get();
  spec.control_fd = kernel.get();
  spec.shares_memory = true;
  EXPECT_THAT(Create(spec).message(), HasSubstr("control_fd"));
}

TEST_F(MachineSetupTest, NamesACommandLineThatDoesNotFit) {
  KTSTR_REQUIRE_KVM();
  UniqueFd kernel(memfd_create("kernel", MFD_CLOEXEC));
  ASSERT_OK(WriteAll(kernel.get(), GuestProgram().Halt().BuildElf()));
  MachineSpec spec;
  spec.kernel_fd = kernel.get();
  spec.cmdline = std::string(3000, 'x');
  EXPECT_THAT(Create(spec), StatusIs(absl::StatusCode::kInvalidArgument,
                                     HasSubstr("command line")));
}

}  // namespace
}  // namespace ktstr::vmm
