// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_MACHINE_H_
#define KTSTR_VMM_MACHINE_H_

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "model/machine_spec.h"
#include "model/machine_topology.h"
#include "vmm/arch/x86_64/dsdt.h"
#include "vmm/arch/x86_64/platform_devices.h"
#include "vmm/devices/bus.h"
#include "vmm/devices/console_writer.h"
#include "vmm/devices/event_loop.h"
#include "vmm/devices/interrupt.h"
#include "vmm/devices/virtio/mmio_transport.h"
#include "vmm/end_latch.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vm.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/report.h"
#include "vmm/sandbox.h"
#include "vmm/vcpu_thread.h"

namespace ktstr::vmm {

// One virtual machine, from its description to its end. The member list is the
// machine.
//
// Threads:  one per vCPU ("cpu0"...), one for all devices and deadlines
//           ("devices"), and the owner's, which waits.
// Lifetime: borrows the report and every descriptor of the description.
class Machine {
 public:
  // Everything up to the first guest instruction: memory, CPUs, devices, the
  // kernel and its initramfs. Reports "slots", "vcpus" and "loaded" on the way.
  //
  // With a sandbox, every thread is confined before the first guest
  // instruction, the caller's by Run().
  //
  // Errors: any; the message says what was attempted. No guest code ran.
  static absl::StatusOr<std::unique_ptr<Machine>> Create(
      const MachineSpec& spec, Report* report,
      const Sandbox* sandbox = nullptr);

  // Joins every thread; a machine that still runs ends as stopped.
  ~Machine();

  // Lets the guest run until it ends, or the deadline, or the owner says so.
  // What the guest wrote to its console is with its reader afterwards, unless
  // the reader is slower than a second.
  //
  // Blocks: until the end. Call once.
  MachineOutcome Run();

 private:
  Machine(const MachineSpec& spec, MachineTopology topology, Report* report,
          const Sandbox* sandbox);

  // The steps of Create(), in order.
  absl::Status ClaimHost();
  absl::Status CreateMemory();
  absl::Status ShareMemory();
  absl::Status CreateDevices();
  absl::Status CreatePlatformDevices();
  absl::Status CreateVirtioDevices();
  absl::Status AttachVirtio(std::unique_ptr<VirtioDevice> device, int index,
                            uint32_t irq);
  absl::Status WatchOwner();
  absl::Status CreateVcpus();
  // How long KVM waits busily for halted CPUs.
  absl::Status SetHaltPolling();
  // What the kernel will write first, in huge pages where the host has them.
  void BackBootMemory();
  absl::Status Load();

  absl::StatusOr<InterruptLine> ConnectInterrupt(uint32_t irq);
  void OwnerSpoke(uint32_t events);
  void Confine(ThreadRole role);
  void LetGo();
  void StopThreads();
  std::string DescribeVcpus();

  // Constant after construction.
  const MachineSpec spec_;
  const MachineTopology topology_;
  Report* const report_;
  const Sandbox* const sandbox_;

  // The owner's.
  bool is_let_go_ = false;

  // Thread-safe by themselves. Destroyed from the bottom up: threads are joined
  // by StopThreads() before anything goes; devices before the loop and the
  // memory they borrow; the machine's descriptors before its memory.
  EndLatch end_;
  std::latch go_{1};
  std::atomic<bool> saw_io_ = false;
  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<Kvm> kvm_;
  std::unique_ptr<Vm> vm_;
  std::unique_ptr<EventLoop> loop_;
  std::vector<UniqueFd> interrupt_fds_;
  std::unique_ptr<ConsoleWriter> console_;
  std::unique_ptr<PlatformDevices> platform_devices_;
  std::vector<std::unique_ptr<MmioTransport>> virtio_devices_;
  // Where the driver finds them, one each.
  std::vector<VirtioMmioPlace> virtio_places_;
  // Why a device gave up on its driver; the loop's while it runs.
  std::string device_failure_;
  Bus ports_;
  Bus mmio_;
  std::vector<std::unique_ptr<VcpuThread>> vcpus_;
  Thread device_thread_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_MACHINE_H_
