// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/machine.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/descriptor_passing.h"
#include "base/host_cpus.h"
#include "base/status_macros.h"
#include "model/memory_map.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/memory_plan.h"
#include "vmm/arch/x86_64/platform.h"
#include "vmm/arch/x86_64/vcpu_state.h"
#include "vmm/boot/cmdline.h"
#include "vmm/boot/elf.h"
#include "vmm/boot/initrd.h"
#include "vmm/devices/virtio/console.h"
#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/vsock.h"
#include "vmm/performance.h"

namespace ktstr::vmm {
namespace {

// How long the end of a machine waits for a slow reader of its console.
constexpr absl::Duration kConsolePatience = absl::Seconds(1);
// How many CPUs a deadline's detail describes.
constexpr size_t kMaxDescribedCpus = 16;
constexpr uint32_t kNotifyBytes = 4;
// A sleep shorter than this is cheaper to wait for than to sleep through; but
// where vCPUs outnumber the host's CPUs, somebody else could run meanwhile.
constexpr uint64_t kHaltPollingNs = 200000;
// Places of virtio devices, the same whether the others are there or not.
constexpr int kVsockIndex = 0;
constexpr int kConsoleIndex = 1;

// Zero for what has no size; the loaders say what is wrong with it.
uint64_t FileBytes(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 ? uint64_t(info.st_size) : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Machine>> Machine::Create(
    const MachineSpec& spec, Report* report, const Sandbox* sandbox) {
  if (spec.kernel_fd < 0) {
    return absl::InvalidArgumentError(
        "machine description: \"kernel_fd\" is absent; the descriptor of an "
        "ELF vmlinux is needed");
  }
  ABSL_ASSIGN_OR_RETURN(
      MachineTopology topology,
      MachineTopology::Create(spec.topology, spec.memory_mib, spec.details));
  std::unique_ptr<Machine> machine(
      new Machine(spec, std::move(topology), report, sandbox));
  ABSL_RETURN_IF_ERROR(machine->ClaimHost());
  ABSL_RETURN_IF_ERROR(machine->CreateMemory());
  ABSL_RETURN_IF_ERROR(machine->ShareMemory());
  ABSL_RETURN_IF_ERROR(machine->CreateDevices());
  ABSL_RETURN_IF_ERROR(machine->WatchOwner());
  ABSL_RETURN_IF_ERROR(machine->CreateVcpus());
  ABSL_RETURN_IF_ERROR(machine->Load());
  return machine;
}

Machine::Machine(const MachineSpec& spec, MachineTopology topology,
                 Report* report, const Sandbox* sandbox)
    : spec_(spec),
      topology_(std::move(topology)),
      report_(report),
      sandbox_(sandbox) {}

Machine::~Machine() {
  end_.Set(MachineEnd::kStopped, "abandoned");
  StopThreads();
}

MachineOutcome Machine::Run() {
  std::latch is_confined(1);
  device_thread_ = Thread("devices", [this, &is_confined] {
    Confine(ThreadRole::kDevices);
    is_confined.count_down();
    loop_->Run();
  });
  Confine(ThreadRole::kMain);
  is_confined.wait();
  LetGo();
  MachineOutcome outcome = end_.Wait();
  StopThreads();
  console_->Finish(kConsolePatience);
  if (outcome.end == MachineEnd::kDeadline) {
    absl::StrAppend(&outcome.detail, "; ", DescribeVcpus());
  }
  if (!device_failure_.empty()) {
    absl::StrAppend(&outcome.detail, "; the driver broke the rules of ",
                    device_failure_);
  }
  return outcome;
}

absl::Status Machine::ClaimHost() {
  if (!spec_.performance) return absl::OkStatus();
  ABSL_RETURN_IF_ERROR(
      CheckOffer(ReadHostOffer(), *spec_.performance, spec_.memory_mib));
  // Threads inherit it, until vCPUs go to CPUs of their own.
  return ClaimCpu(spec_.performance->service_cpu, kServiceFifoPriority);
}

absl::Status Machine::CreateMemory() {
  ABSL_ASSIGN_OR_RETURN(kvm_, Kvm::Open());
  ABSL_RETURN_IF_ERROR(CheckTopology(*kvm_, topology_));
  ABSL_ASSIGN_OR_RETURN(
      memory_,
      GuestMemory::Create(PlanMemory(topology_),
                          spec_.performance ? GuestMemory::Pages::kPool
                                            : GuestMemory::Pages::kOrdinary));
  if (spec_.performance) {
    const std::vector<int>& nodes = spec_.performance->memory_nodes;
    for (size_t node = 0; node < nodes.size(); ++node) {
      ABSL_RETURN_IF_ERROR(memory_->BindNode(int(node), nodes[node]));
    }
    ABSL_RETURN_IF_ERROR(memory_->Populate());
  }
  ABSL_ASSIGN_OR_RETURN(vm_, kvm_->CreateVm());
  ABSL_RETURN_IF_ERROR(SetHaltPolling());
  uint32_t slot = 0;
  for (const auto& region : memory_->regions()) {
    ABSL_RETURN_IF_ERROR(vm_->AddMemorySlot(slot++, region.start.value(),
                                            region.size_bytes, region.host));
  }
  report_->Emit("slots");
  return CreateInterruptControllers(*vm_, topology_);
}

absl::Status Machine::ShareMemory() {
  if (!spec_.shares_memory) return absl::OkStatus();
  std::vector<MappedRam> map;
  std::vector<int> files;
  for (const auto& region : memory_->regions()) {
    auto file = std::find(files.begin(), files.end(), region.memfd);
    map.push_back({.start = region.start.value(),
                   .size_bytes = region.size_bytes,
                   .file = static_cast<int>(file - files.begin()),
                   .file_offset = region.memfd_offset});
    if (file == files.end()) files.push_back(region.memfd);
  }
  return Annotate(
      SendDescriptors(spec_.control_fd, FormatMemoryMap(map), files),
      "share guest memory over control_fd");
}

absl::Status Machine::CreateDevices() {
  ABSL_ASSIGN_OR_RETURN(loop_, EventLoop::Create());
  console_ = std::make_unique<ConsoleWriter>(
      loop_.get(), spec_.console_fd, [this] { report_->Emit("console"); });
  ABSL_RETURN_IF_ERROR(CreatePlatformDevices());
  return CreateVirtioDevices();
}

absl::Status Machine::CreatePlatformDevices() {
  ABSL_ASSIGN_OR_RETURN(InterruptLine serial, ConnectInterrupt(kSerialIrq));
  platform_devices_ =
      std::make_unique<PlatformDevices>(PlatformDevices::Options{
          .console = console_.get(),
          .serial_interrupt = std::move(serial),
          .on_power_off =
              [this] { end_.Set(MachineEnd::kPowerOff, "ACPI S5"); },
          .on_reset =
              [this] {
                end_.Set(MachineEnd::kReset, "keyboard controller reset");
              }});
  return platform_devices_->AttachTo(ports_);
}

absl::Status Machine::CreateVirtioDevices() {
  if (spec_.console == ConsoleDevice::kVirtio) {
    ABSL_RETURN_IF_ERROR(AttachVirtio(
        std::make_unique<VirtioConsole>(memory_.get(), console_.get()),
        kConsoleIndex, kConsoleIrq));
  }
  if (spec_.vsock_path.empty()) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Vsock> vsock,
                        Vsock::Create(memory_.get(), loop_.get(),
                                      {.path = spec_.vsock_path,
                                       .guest_cid = spec_.vsock_cid,
                                       .on_first_guest_stream = [this] {
                                         report_->Emit("vsock-connect");
                                       }}));
  return AttachVirtio(std::move(vsock), kVsockIndex, kVsockIrq);
}

absl::Status Machine::AttachVirtio(std::unique_ptr<VirtioDevice> device,
                                   int index, uint32_t irq) {
  const uint64_t base = kVirtioMmio + uint64_t(index) * kVirtioMmioStride;
  ABSL_ASSIGN_OR_RETURN(InterruptLine line, ConnectInterrupt(irq));
  ABSL_ASSIGN_OR_RETURN(
      auto transport,
      MmioTransport::Create(memory_.get(), loop_.get(), std::move(device),
                            {.interrupt = std::move(line),
                             .on_failure = [this](const absl::Status& why) {
                               device_failure_ = std::string(why.message());
                             }}));
  for (int queue = 0; queue < transport->queue_count(); ++queue) {
    ABSL_RETURN_IF_ERROR(vm_->AttachIoEventFd(transport->notify_fd(queue),
                                              base + virtio_mmio::kQueueNotify,
                                              kNotifyBytes, uint64_t(queue)));
  }
  ABSL_RETURN_IF_ERROR(
      mmio_.Add(base, virtio_mmio::kSizeBytes, transport.get()));
  virtio_devices_.push_back(std::move(transport));
  virtio_places_.push_back({.gpa = uint32_t(base),
                            .size_bytes = uint32_t(kVirtioMmioStride),
                            .irq = irq});
  return absl::OkStatus();
}

absl::StatusOr<InterruptLine> Machine::ConnectInterrupt(uint32_t irq) {
  UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return absl::ErrnoToStatus(errno, "eventfd");
  ABSL_RETURN_IF_ERROR(vm_->AttachIrqFd(fd.get(), irq));
  interrupt_fds_.push_back(std::move(fd));
  return EventfdInterrupt(interrupt_fds_.back().get());
}

absl::Status Machine::WatchOwner() {
  if (spec_.deadline > absl::ZeroDuration()) {
    loop_->AddTimer(spec_.deadline, [this] {
      end_.Set(MachineEnd::kDeadline,
               absl::StrCat("the limit of ",
                            absl::FormatDuration(spec_.deadline), " passed"));
    });
  }
  if (spec_.control_fd < 0) return absl::OkStatus();
  return Annotate(loop_->Watch(spec_.control_fd, EPOLLIN | EPOLLRDHUP,
                               [this](uint32_t events) { OwnerSpoke(events); }),
                  "control_fd");
}

void Machine::OwnerSpoke(uint32_t events) {
  char bytes[64];
  ssize_t count = 0;
  if (events & EPOLLIN) {
    count = read(spec_.control_fd, bytes, sizeof(bytes));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  }
  if (count <= 0) {
    loop_->Unwatch(spec_.control_fd);
    end_.Set(MachineEnd::kStopped, "the owner went away");
  } else if (std::count(bytes, bytes + count, 'q') > 0) {
    end_.Set(MachineEnd::kStopped, "the owner said so");
  }
}

absl::Status Machine::CreateVcpus() {
  VcpuThread::InstallKickHandler();
  if (spec_.performance) {
    ABSL_RETURN_IF_ERROR(vm_->DisablePauseAndHaltExits());
  }
  ABSL_ASSIGN_OR_RETURN(
      VcpuFactory factory,
      VcpuFactory::Create(*kvm_, topology_, spec_.performance.has_value()));
  const VcpuContext context = {
      .ports = &ports_,
      .mmio = &mmio_,
      .memory = memory_.get(),
      .end = &end_,
      .report = report_,
      .go = &go_,
      .sandbox = sandbox_,
      .performance = spec_.performance ? &*spec_.performance : nullptr,
      .saw_io = &saw_io_};
  for (int cpu = 0; cpu < topology_.cpus(); ++cpu) {
    ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Vcpu> vcpu,
                          factory.CreateVcpu(*vm_, cpu));
    vcpus_.push_back(
        std::make_unique<VcpuThread>(cpu, std::move(vcpu), context));
  }
  std::vector<int> tids;
  for (const auto& vcpu : vcpus_) tids.push_back(vcpu->tid());
  report_->EmitVcpus(std::move(tids));
  return absl::OkStatus();
}

absl::Status Machine::SetHaltPolling() {
  // Halted CPUs that have host CPUs of their own do not even leave the guest.
  if (spec_.performance || kvm_->Extension(KVM_CAP_HALT_POLL) <= 0) {
    return absl::OkStatus();
  }
  const size_t host_cpus = AllowedHostCpus().size();
  return vm_->SetHaltPolling(
      size_t(topology_.cpus()) > host_cpus ? 0 : kHaltPollingNs);
}

void Machine::BackBootMemory() {
  // All of it is huge already.
  if (spec_.performance) return;
  std::vector<GuestMemory::Range> ranges;
  for (const auto& region : memory_->regions()) {
    ranges.push_back({.start = region.start,
                      .size_bytes = region.size_bytes,
                      .node = region.node});
  }
  uint64_t initrd_bytes = 0;
  for (int fd : spec_.initrd_fds) initrd_bytes += FileBytes(fd);
  for (const auto& range :
       PlanHugePages(ranges, FileBytes(spec_.kernel_fd), initrd_bytes)) {
    // One refusal says that the host has no more of them.
    if (!memory_->BackWithHugePages(range.start, range.size_bytes)) return;
  }
}

absl::Status Machine::Load() {
  Cmdline cmdline;
  cmdline.Add(PlatformCmdline(topology_, spec_.console)).Add(spec_.cmdline);
  cmdline.AddForKernel(PlatformLateCmdline());
  BackBootMemory();
  BootTables tables = {.machine = topology_, .devices = virtio_places_};
  ABSL_ASSIGN_OR_RETURN(tables.cmdline, cmdline.Build());
  ABSL_ASSIGN_OR_RETURN(
      ElfImage kernel,
      LoadElf(spec_.kernel_fd, GuestPhysAddr(kKernelFloor), *memory_));
  ABSL_ASSIGN_OR_RETURN(InitrdRange initrd,
                        PlaceInitrds(spec_.initrd_fds, kernel.end(),
                                     GuestPhysAddr(kInitrdCeiling), *memory_));
  tables.initrd = initrd.start;
  tables.initrd_bytes = initrd.size_bytes;
  ABSL_RETURN_IF_ERROR(WriteBootTables(*memory_, tables));
  ABSL_RETURN_IF_ERROR(SetBootRegisters(vcpus_[0]->vcpu(), kernel.entry));
  report_->Emit("loaded");
  return absl::OkStatus();
}

void Machine::Confine(ThreadRole role) {
  if (sandbox_ == nullptr) return;
  absl::Status status = sandbox_->Confine(role);
  if (!status.ok()) end_.Set(MachineEnd::kSetupFailure, status.ToString());
}

void Machine::LetGo() {
  if (!is_let_go_) go_.count_down();
  is_let_go_ = true;
}

void Machine::StopThreads() {
  LetGo();
  for (const auto& vcpu : vcpus_) vcpu->Kick();
  for (const auto& vcpu : vcpus_) vcpu->Join();
  if (loop_ != nullptr) loop_->Stop();
  device_thread_.Join();
}

std::string Machine::DescribeVcpus() {
  std::string text;
  for (size_t cpu = 0; cpu < std::min(vcpus_.size(), kMaxDescribedCpus);
       ++cpu) {
    absl::StrAppendFormat(&text, "%scpu %d at %#x", cpu == 0 ? "" : ", ", cpu,
                          InstructionPointer(vcpus_[cpu]->vcpu()));
  }
  return text;
}

}  // namespace ktstr::vmm
