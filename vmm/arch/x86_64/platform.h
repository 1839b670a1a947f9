// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the portable machine asks of its instruction set architecture. A second
// architecture offers a header with the same functions.
#ifndef KTSTR_VMM_ARCH_X86_64_PLATFORM_H_
#define KTSTR_VMM_ARCH_X86_64_PLATFORM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/machine_spec.h"
#include "model/machine_topology.h"
#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/arch/x86_64/dsdt.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// Refuses a topology this platform cannot give a guest.
//
// Errors:
//   InvalidArgument  more CPUs or a higher APIC id than this host's KVM gives;
//                    the message names both numbers.
absl::Status CheckTopology(const Kvm& kvm, const MachineTopology& machine);

// The interrupt controllers of a PC inside KVM, and the pages KVM itself needs.
// Call after every memory slot is registered, because a slot added later costs
// milliseconds instead of microseconds, and before the first vCPU.
absl::Status CreateInterruptControllers(Vm& vm, const MachineTopology& machine);

// Creates CPUs with ids and CPUID of the topology.
class VcpuFactory {
 public:
  // `is_realtime`: the host never preempts a vCPU, and the guest may know.
  static absl::StatusOr<VcpuFactory> Create(const Kvm& kvm,
                                            MachineTopology machine,
                                            bool is_realtime);

  // CPU 0 is the boot CPU; SetBootRegisters() makes it runnable.
  absl::StatusOr<std::unique_ptr<Vcpu>> CreateVcpu(Vm& vm, int cpu) const;

 private:
  VcpuFactory() = default;

  CpuidEntries host_;
  CpuidOptions options_;
};

// Kernel arguments this platform needs: console, reset by the keyboard
// controller, reboot right after a panic, no search for buses and timers it
// does not have, no comparison of TSCs, which KVM keeps alike, no relocation of
// the kernel (the monitor counts on its linked addresses); device interrupts to
// CPU 0 where not every CPU can get them.
std::string PlatformCmdline(const MachineTopology& machine,
                            ConsoleDevice console);
// Those that must come after everybody's, because the kernel acts on its
// arguments in their order: an early console speaks as soon as it is named, at
// the loglevel known by then.
std::string PlatformLateCmdline();

// What lies in guest memory besides the kernel.
struct BootTables {
  MachineTopology machine;
  std::vector<VirtioMmioPlace> devices;
  std::string cmdline;
  GuestPhysAddr initrd;
  uint64_t initrd_bytes = 0;
};

// Writes page tables, GDT, command line, zero page and ACPI tables.
//
// Errors:
//   InvalidArgument  command line or tables too large; the message says which.
//   OutOfRange       RAM ends before the first MiB does.
absl::Status WriteBootTables(GuestMemory& memory, const BootTables& tables);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_PLATFORM_H_
