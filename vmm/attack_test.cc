// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A guest that does its worst, on the real /dev/kvm: random values into every
// port and device register, garbage in the rings behind a queue's back, a
// console at full speed that nobody reads. vmm stays small, says how the
// machine ended and leaves nothing.

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/machine_spec.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/testing/guest_driver.h"
#include "vmm/testing/guest_program.h"
#include "vmm/testing/guest_run.h"
#include "vmm/testing/vmm_process.h"

namespace ktstr::vmm {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr absl::Duration kAttack = absl::Seconds(60);
constexpr int64_t kGuestMib = 32;
constexpr int64_t kMostOwnKib = 16 << 10;
constexpr uint64_t kRings = 0x40000;

constexpr uint64_t kPageDirectory = 0x10000;

// What drivers do before their queues work (virtio 1.2, 3.1.1). The console
// then has all RAM to transmit, eight times.
void SetUpDevices(GuestProgram& program) {
  constexpr uint32_t kVsockQueues = 3, kConsoleQueues = 2;
  GuestDriver vsock(
      &program,
      {.registers = kVirtioMmio, .queues = kVsockQueues, .rings = kRings});
  vsock.Negotiate().SetUpQueues().SetDriverOk();
  GuestDriver console(
      &program, {.registers = kVirtioMmio + kVirtioMmioStride,
                 .queues = kConsoleQueues,
                 .rings = kRings + kVsockQueues * GuestDriver::kRingsStride});
  console.Negotiate()
      .SetUpQueues()
      .Descriptor(0, 0, uint32_t(kGuestMib * kMiB), 0, 0)
      .Offer(0, GuestDriver::kQueueSize)
      .SetDriverOk()
      .Notify();
}

// R8 holds a xorshift generator whose top bits choose what comes next. Now and
// then `ret` goes back to the set-up, so that there is something to break.
GuestProgram AttackProgram(uint64_t seed) {
  constexpr uint64_t kSeed = 0x3F000;
  GuestProgram program;
  program.MapLargePage(kVirtioMmio, kPageDirectory)
      .Store64(kSeed, seed | 1)
      .Raw({0x4C, 0x8B, 0x04, 0x25, 0x00, 0xF0, 0x03, 0x00});  // mov r8, [seed]
  const uint64_t set_up = program.here();
  program.Raw({0x68, uint8_t(set_up), uint8_t(set_up >> 8),  // push set_up
               uint8_t(set_up >> 16), uint8_t(set_up >> 24)});
  SetUpDevices(program);
  return program
      // again: r8 ^= r8 << 13; r8 ^= r8 >> 7; r8 ^= r8 << 17; rcx = r8 >> 60
      .Raw({0x4C, 0x89, 0xC0, 0x48, 0xC1, 0xE0, 0x0D, 0x49, 0x31, 0xC0})
      .Raw({0x4C, 0x89, 0xC0, 0x48, 0xC1, 0xE8, 0x07, 0x49, 0x31, 0xC0})
      .Raw({0x4C, 0x89, 0xC0, 0x48, 0xC1, 0xE0, 0x11, 0x49, 0x31, 0xC0})
      .Raw({0x4C, 0x89, 0xC1, 0x48, 0xC1, 0xE9, 0x3C})
      // cl < 2: any_out; < 4: serial_out; < 5: any_in; < 12: device_write;
      // < 13: device_read; < 15: ram_write; else flood
      .Raw({0x80, 0xF9, 0x02, 0x72, 0x2E, 0x80, 0xF9, 0x04, 0x72, 0x36})
      .Raw({0x80, 0xF9, 0x05, 0x72, 0x47, 0x80, 0xF9, 0x0C, 0x72, 0x54})
      .Raw({0x80, 0xF9, 0x0D, 0x72, 0x7C, 0x80, 0xF9, 0x0F})
      .Raw({0x0F, 0x82, 0x8B, 0x00, 0x00, 0x00})
      // flood: 64 times al to the serial port; jmp again
      .Raw({0x66, 0xBA, 0xF8, 0x03, 0xB9, 0x40, 0x00, 0x00, 0x00, 0x44, 0x89})
      .Raw({0xC0, 0xEE, 0xE2, 0xFD, 0xEB, 0xA8})
      // any_out: dx = r8w; eax = r8 >> 16; out dx, eax; jmp again
      .Raw({0x44, 0x89, 0xC2, 0x4C, 0x89, 0xC0, 0x48, 0xC1, 0xE8, 0x10, 0xEF})
      .Raw({0xEB, 0x9B})
      // serial_out: dx = 0x3f8 + r8 % 8; al = r8 >> 16; out dx, al; jmp again
      .Raw({0x44, 0x89, 0xC2, 0x83, 0xE2, 0x07, 0x81, 0xC2, 0xF8, 0x03, 0x00})
      .Raw({0x00, 0x4C, 0x89, 0xC0, 0x48, 0xC1, 0xE8, 0x10, 0xEE, 0xEB, 0x85})
      // any_in: dx = r8w; in eax, dx; if (r8 & 0x3f00) jmp again; ret
      .Raw({0x44, 0x89, 0xC2, 0xED, 0x41, 0xF7, 0xC0, 0x00, 0x3F, 0x00, 0x00})
      .Raw({0x0F, 0x85, 0x74, 0xFF, 0xFF, 0xFF, 0xC3})
      // device_write: rbx = 0xd0000000 + (r8 & 0x11fc); eax = r8 >> 20;
      // if (r8 & 0x400) eax &= 0x7ffff; mov [rbx], eax; jmp again
      .Raw({0x44, 0x89, 0xC3, 0x81, 0xE3, 0xFC, 0x11, 0x00, 0x00, 0xBF, 0x00})
      .Raw({0x00, 0x00, 0xD0, 0x48, 0x01, 0xFB, 0x4C, 0x89, 0xC0, 0x48, 0xC1})
      .Raw({0xE8, 0x14, 0x41, 0xF7, 0xC0, 0x00, 0x04, 0x00, 0x00, 0x74, 0x05})
      .Raw({0x25, 0xFF, 0xFF, 0x07, 0x00, 0x89, 0x03})
      .Raw({0xE9, 0x46, 0xFF, 0xFF, 0xFF})
      // device_read: eax = [0xd0000000 + (r8 & 0x11fc)]; jmp again
      .Raw({0x44, 0x89, 0xC3, 0x81, 0xE3, 0xFC, 0x11, 0x00, 0x00, 0xBF, 0x00})
      .Raw({0x00, 0x00, 0xD0, 0x48, 0x01, 0xFB, 0x8B, 0x03})
      .Raw({0xE9, 0x2E, 0xFF, 0xFF, 0xFF})
      // ram_write: [0x40000 + (r8 & 0x3fff8)] = r8 >> 13; jmp again
      .Raw({0x44, 0x89, 0xC3, 0x81, 0xE3, 0xF8, 0xFF, 0x03, 0x00, 0x81, 0xC3})
      .Raw({0x00, 0x00, 0x04, 0x00, 0x4C, 0x89, 0xC0, 0x48, 0xC1, 0xE8, 0x0D})
      .Raw({0x48, 0x89, 0x03, 0xE9, 0x10, 0xFF, 0xFF, 0xFF});
}

// "VmHWM" of a process: the most memory it ever had, in KiB.
int64_t PeakKib(pid_t pid) {
  const std::string status =
      ReadFile(absl::StrCat("/proc/", pid, "/status"), 1 << 16).value_or("");
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t kib = 0;
    if (words.size() > 1 && words[0] == "VmHWM:" &&
        absl::SimpleAtoi(words[1], &kib)) {
      return kib;
    }
  }
  return -1;
}

struct Attacked {
  ExitStatus exit;
  std::string errors;
  MachineEvent end;
  int64_t peak_kib = 0;
};

// One vmm with a guest of this seed, until it ends or `time` has passed.
absl::StatusOr<Attacked> Attack(uint64_t seed, absl::Duration time,
                                const std::string& dir) {
  MachineSpec spec;
  spec.topology = *Topology::Create(1, 1, 2, 1);
  spec.memory_mib = kGuestMib;
  spec.console = ConsoleDevice::kVirtio;
  spec.vsock_path = JoinPath(dir, "v");
  // Time to look at vmm while it is still there.
  spec.deadline = time + absl::Seconds(5);
  ABSL_ASSIGN_OR_RETURN(VmmProcess vmm,
                        VmmProcess::Start(AttackProgram(seed), spec));
  Attacked result;
  vmm.process().WaitFor(time).status().IgnoreError();
  result.peak_kib = PeakKib(vmm.process().pid());
  ABSL_ASSIGN_OR_RETURN(result.exit, vmm.process().WaitFor(absl::Seconds(10)));
  ABSL_ASSIGN_OR_RETURN(result.errors, vmm.Errors());
  ABSL_ASSIGN_OR_RETURN(result.end, vmm.End());
  return result;
}

TEST(AttackTest, VmmStaysSmallAndSaysHowItEnded) {
  KTSTR_REQUIRE_KVM();
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("at"));
  const absl::Duration end = RealClock().Monotonic() + kAttack;
  // A guest may stumble upon power-off or reset: then the next one goes on.
  for (uint64_t seed = 1; RealClock().Monotonic() < end; ++seed) {
    SCOPED_TRACE(seed);
    ASSERT_OK_AND_ASSIGN(Attacked attacked,
                         Attack(seed * 0x9E3779B97F4A7C15,
                                end - RealClock().Monotonic(), dir.path()));
    EXPECT_TRUE(attacked.exit.ok())
        << attacked.exit.ToString() << attacked.errors;
    EXPECT_THAT(attacked.end.end,
                AnyOf(MachineEnd::kDeadline, MachineEnd::kPowerOff,
                      MachineEnd::kReset, MachineEnd::kTripleFault))
        << attacked.end.detail;
    EXPECT_LT(attacked.peak_kib, kGuestMib * 1024 + kMostOwnKib);
    EXPECT_THAT(ListDir(dir.path()).value(), ::testing::IsEmpty());
    // It got as far as the rings.
    if (attacked.end.end == MachineEnd::kDeadline) {
      EXPECT_THAT(attacked.end.detail, HasSubstr("broke the rules"));
    }
    RecordProperty("machines", int(seed));
    RecordProperty("peak_kib", int(attacked.peak_kib));
  }
}

}  // namespace
}  // namespace ktstr::vmm
