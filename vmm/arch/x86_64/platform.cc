// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/platform.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/apic_id.h"
#include "vmm/arch/x86_64/boot_params.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/page_tables.h"
#include "vmm/arch/x86_64/vcpu_state.h"

namespace ktstr::vmm {
namespace {

constexpr char kSerialConsole[] = "console=ttyS0";
constexpr char kVirtioConsole[] = "console=hvc0";
// There is no ttyS0 before the interrupt controllers work and no hvc0 before
// the middle of the boot: until then what is urgent, a panic above all, goes to
// the serial port like this.
constexpr char kEarlyConsole[] = "earlycon=uart8250,io,0x3f8";

std::vector<GuestMemory::Range> RangesOf(const GuestMemory& memory) {
  std::vector<GuestMemory::Range> ranges;
  for (const auto& region : memory.regions()) {
    ranges.push_back({.start = region.start,
                      .size_bytes = region.size_bytes,
                      .node = region.node});
  }
  return ranges;
}

absl::Status WriteCmdline(GuestMemory& memory, const std::string& cmdline) {
  if (cmdline.size() >= kCmdlineMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel command line of ", cmdline.size(),
                     " bytes; at most ", kCmdlineMaxBytes - 1, " fit"));
  }
  auto bytes = std::as_bytes(std::span(cmdline.c_str(), cmdline.size() + 1));
  return memory.Write(GuestPhysAddr(kCmdline), {bytes.data(), bytes.size()});
}

// Whether some CPU is beyond what an xAPIC can address.
bool HasWideIds(const MachineTopology& machine) {
  return ApicIdLayout(machine).HighestId(machine) > kMaxXapicId;
}

}  // namespace

absl::Status CheckTopology(const Kvm& kvm, const MachineTopology& machine) {
  int most = kvm.Extension(KVM_CAP_MAX_VCPUS);
  if (machine.cpus() > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("topology ", machine.topology().ToString(), " has ",
                     machine.cpus(), " CPUs; KVM here gives at most ", most));
  }
  uint32_t last = ApicIdLayout(machine).HighestId(machine);
  if (last <= kMaxXapicId) return absl::OkStatus();
  int ids = kvm.Extension(KVM_CAP_MAX_VCPU_ID);
  if (int64_t{last} >= ids || kvm.Extension(KVM_CAP_X2APIC_API) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "topology ", machine.topology().ToString(), " needs APIC id ", last,
        "; KVM here gives ids below ", std::max(ids, int{kMaxXapicId} + 1)));
  }
  return absl::OkStatus();
}

std::string PlatformCmdline(const MachineTopology& machine,
                            ConsoleDevice console) {
  // noreplace-smp: with one CPU at boot the kernel would take its 5,000 lock
  // prefixes away one by one, and put them back with the second.
  std::string words = absl::StrCat(
      console == ConsoleDevice::kVirtio ? kVirtioConsole : kSerialConsole,
      " reboot=k panic=-1 pci=off nokaslr no_timer_check "
      "i8042.noaux tsc=reliable noreplace-smp");
  // The IOAPIC inside KVM reads eight bits of a destination.
  if (HasWideIds(machine)) words += " irqaffinity=0";
  return words;
}

std::string PlatformLateCmdline() { return kEarlyConsole; }

absl::Status CreateInterruptControllers(Vm& vm,
                                        const MachineTopology& machine) {
  if (HasWideIds(machine)) {
    kvm_enable_cap wide = {.cap = KVM_CAP_X2APIC_API};
    wide.args[0] =
        KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
    ABSL_RETURN_IF_ERROR(vm.Call(KVM_REQUEST(KVM_ENABLE_CAP), &wide));
  }
  uint64_t identity_map = kKvmIdentityMap;
  ABSL_RETURN_IF_ERROR(
      vm.Call(KVM_REQUEST(KVM_SET_IDENTITY_MAP_ADDR), &identity_map));
  ABSL_RETURN_IF_ERROR(vm.Call(KVM_REQUEST(KVM_SET_TSS_ADDR), kKvmTss));
  ABSL_RETURN_IF_ERROR(vm.Call(KVM_REQUEST(KVM_CREATE_IRQCHIP), uint64_t{0}));
  kvm_pit_config pit = {};
  pit.flags = KVM_PIT_SPEAKER_DUMMY;
  return vm.Call(KVM_REQUEST(KVM_CREATE_PIT2), &pit);
}

absl::StatusOr<VcpuFactory> VcpuFactory::Create(const Kvm& kvm,
                                                MachineTopology machine,
                                                bool is_realtime) {
  VcpuFactory factory;
  ABSL_ASSIGN_OR_RETURN(factory.host_, kvm.SupportedCpuid());
  factory.options_.machine = std::move(machine);
  factory.options_.is_realtime = is_realtime;
  factory.options_.has_tsc_deadline =
      kvm.Extension(KVM_CAP_TSC_DEADLINE_TIMER) > 0;
  return factory;
}

absl::StatusOr<std::unique_ptr<Vcpu>> VcpuFactory::CreateVcpu(Vm& vm,
                                                              int cpu) const {
  uint32_t id =
      ApicIdLayout(options_.machine).IdOf(options_.machine.PlaceOf(cpu));
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Vcpu> vcpu, vm.CreateVcpu(id));
  ABSL_RETURN_IF_ERROR(SetCpuid(*vcpu, BuildCpuid(host_, options_, cpu)));
  ABSL_RETURN_IF_ERROR(SetBootMsrs(*vcpu));
  return vcpu;
}

absl::Status WriteBootTables(GuestMemory& memory, const BootTables& tables) {
  ABSL_RETURN_IF_ERROR(WritePageTables(memory));
  ABSL_RETURN_IF_ERROR(WriteGdt(memory));
  ABSL_RETURN_IF_ERROR(WriteCmdline(memory, tables.cmdline));
  std::vector<GuestMemory::Range> ram = RangesOf(memory);
  ABSL_ASSIGN_OR_RETURN(std::vector<std::byte> params,
                        BuildBootParams({.ram = ram,
                                         .initrd = tables.initrd,
                                         .initrd_bytes = tables.initrd_bytes}));
  ABSL_RETURN_IF_ERROR(memory.Write(GuestPhysAddr(kBootParams), params));
  ABSL_ASSIGN_OR_RETURN(
      std::vector<std::byte> acpi,
      BuildAcpiTables(tables.machine, ram, tables.devices, kAcpiTables,
                      kAcpiTablesEnd - kAcpiTables));
  return memory.Write(GuestPhysAddr(kAcpiTables), acpi);
}

}  // namespace ktstr::vmm
