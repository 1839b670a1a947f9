// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/probe.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <latch>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "vmm/arch/x86_64/micro_guest.h"
#include "vmm/devices/bus.h"
#include "vmm/devices/device.h"
#include "vmm/end_latch.h"
#include "vmm/kvm/kvm.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/report.h"
#include "vmm/vcpu_thread.h"

namespace ktstr::vmm {
namespace {

constexpr double kEnoughMips = 10;
// A loop of so many instructions takes 13 ms where kernel mode is interpreted
// and well below one where it is not. A slow run may be a busy host, a fast one
// cannot be luck: so longer ones, in which entry and exit weigh less, follow a
// slow one.
constexpr uint32_t kLoopInstructions[] = {40000, 400000, 2000000, 2000000};
constexpr absl::Duration kPatience = absl::Seconds(2);

constexpr char kUseLabHost[] =
    "run the command inside the emulated lab host: tools/labhost -- COMMAND";

// Where a micro-guest puts its answer.
class Mailbox : public IoDevice {
 public:
  explicit Mailbox(EndLatch* end) : end_(end) {}

  absl::string_view name() const override { return "mailbox"; }
  void Read(uint64_t, absl::Span<std::byte> out) override {
    std::fill(out.begin(), out.end(), std::byte{0});
  }
  void Write(uint64_t, absl::Span<const std::byte> in) override {
    uint32_t value = 0;
    std::memcpy(&value, in.data(), std::min(in.size(), sizeof(value)));
    at_ = RealClock().Monotonic();
    value_ = value;
    end_->Set(MachineEnd::kPowerOff, "");
  }

  // After the end.
  uint32_t value() const { return value_; }
  absl::Duration at() const { return at_; }

 private:
  EndLatch* const end_;
  uint32_t value_ = 0;
  absl::Duration at_;
};

struct Answer {
  uint32_t value;
  absl::Duration took;
};

// Runs one micro-guest until it writes to its mailbox.
absl::StatusOr<Answer> RunMicroGuest(const Kvm& kvm, const MicroGuest& guest) {
  ABSL_ASSIGN_OR_RETURN(
      std::unique_ptr<GuestMemory> memory,
      GuestMemory::Create(
          {{.start = GuestPhysAddr(0), .size_bytes = kMicroGuestRamBytes}}));
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Vm> vm, kvm.CreateVm());
  const auto& region = memory->regions()[0];
  ABSL_RETURN_IF_ERROR(vm->AddMemorySlot(0, 0, region.size_bytes, region.host));
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Vcpu> vcpu,
                        CreateMicroGuestVcpu(kvm, *vm, *memory, guest));
  EndLatch end;
  Mailbox mailbox(&end);
  Bus ports, mmio;
  ABSL_RETURN_IF_ERROR(mmio.Add(kMicroGuestMailbox, 8, &mailbox));
  Report report(-1, &RealClock());
  std::latch go(1);
  std::atomic<bool> saw_io = false;
  VcpuThread::InstallKickHandler();
  VcpuThread thread(0, std::move(vcpu),
                    {.ports = &ports,
                     .mmio = &mmio,
                     .memory = memory.get(),
                     .end = &end,
                     .report = &report,
                     .go = &go,
                     .saw_io = &saw_io});
  absl::Duration start = RealClock().Monotonic();
  go.count_down();
  if (!end.WaitFor(kPatience)) end.Set(MachineEnd::kDeadline, "no answer");
  thread.Kick();
  thread.Join();
  MachineOutcome outcome = end.Wait();
  if (outcome.end != MachineEnd::kPowerOff) {
    return absl::AbortedError(
        absl::StrCat(MachineEndName(outcome.end), " (", outcome.detail, ")"));
  }
  return Answer{.value = mailbox.value(), .took = mailbox.at() - start};
}

// What is wrong with kernel mode; empty when nothing. Runs at most `max_runs`
// loops.
std::string MeasureKernelMode(const Kvm& kvm, size_t max_runs, double& mips) {
  for (uint32_t instructions :
       absl::MakeSpan(kLoopInstructions).first(max_runs)) {
    if (mips >= kEnoughMips) break;
    absl::StatusOr<Answer> answer =
        RunMicroGuest(kvm, KernelLoopGuest(instructions));
    if (!answer.ok()) {
      return absl::StrCat("a counted loop in kernel mode did not end: ",
                          answer.status().message());
    }
    mips =
        std::max(mips, instructions / absl::ToDoubleMicroseconds(answer->took));
  }
  if (mips >= kEnoughMips) return "";
  return absl::StrFormat(
      "kernel-mode guest code runs at %.1f million instructions a second, as "
      "if interpreted (at least %.0f needed)",
      mips, kEnoughMips);
}

std::string MeasureSyscall(const Kvm& kvm, int& cpl) {
  absl::StatusOr<Answer> answer = RunMicroGuest(kvm, SyscallGuest());
  if (!answer.ok()) {
    return absl::StrCat("SYSCALL from user mode did not arrive: ",
                        answer.status().message());
  }
  cpl = int(answer->value & 3);
  if (cpl == 0) return "";
  return absl::StrCat("SYSCALL from user mode arrives at privilege ", cpl,
                      " instead of 0");
}

}  // namespace

ProbeResult ProbeKvm() {
  ProbeResult result;
  absl::StatusOr<std::unique_ptr<Kvm>> kvm = Kvm::Open();
  if (!kvm.ok()) {
    result.reason = std::string(kvm.status().message());
    result.advice = absl::StrCat(
        "load kvm-intel or kvm-amd and allow this user to open /dev/kvm, or ",
        kUseLabHost);
    return result;
  }
  result.api_version = Kvm::kApiVersion;
  result.advice = kUseLabHost;
  if (absl::Status status = (*kvm)->CheckRequirements(); !status.ok()) {
    result.reason = std::string(status.message());
    return result;
  }
  std::string syscall = MeasureSyscall(**kvm, result.syscall_cpl);
  // Once it is clear that Linux cannot run, one short loop is enough.
  std::string kernel_mode = MeasureKernelMode(
      **kvm, syscall.empty() ? std::size(kLoopInstructions) : 1,
      result.kernel_mode_mips);
  result.reason = absl::StrCat(
      kernel_mode, kernel_mode.empty() || syscall.empty() ? "" : "; ", syscall);
  result.is_usable = result.reason.empty();
  if (result.is_usable) result.advice.clear();
  return result;
}

std::string FormatProbeResult(const ProbeResult& result) {
  nlohmann::ordered_json object = {
      {"usable", result.is_usable},
      {"api", result.api_version},
      {"kernel_mode_mips", std::round(result.kernel_mode_mips * 10) / 10},
      {"syscall_cpl", result.syscall_cpl},
      {"reason", result.reason},
      {"advice", result.advice},
  };
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ktstr::vmm
