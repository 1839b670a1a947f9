// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/requirements.h"

namespace ktstr::kconfig {
namespace {

using enum Requirement;

constexpr RequiredOption kTable[] = {
    {kBoot, "64BIT", "y", "the machine enters kernels in 64-bit mode only"},
    {kBoot, "BLK_DEV_INITRD", "y", "the initramfs cannot be unpacked"},
    {kBoot, "BINFMT_ELF", "y", "init cannot be executed"},
    {kBoot, "BINFMT_SCRIPT", "y", "scripts cannot be executed in the guest"},
    {kBoot, "PRINTK", "y", "the kernel log, and with it panics, are invisible"},
    {kBoot, "TTY", "y", "there is no console"},
    {kBoot, "SERIAL_8250", "y", "there is no serial port"},
    {kBoot, "SERIAL_8250_CONSOLE", "y",
     "the kernel log does not reach the serial console"},
    {kBoot, "PROC_FS", "y", "init cannot mount /proc"},
    {kBoot, "SYSFS", "y", "init cannot mount /sys"},
    {kBoot, "DEVTMPFS", "y", "init finds no device nodes"},
    {kBoot, "TMPFS", "y", "tests have no /tmp"},
    {kBoot, "SHMEM", "y", "shared memory between workers does not work"},
    {kBoot, "FUTEX", "y", "threads cannot wait for each other"},
    {kBoot, "EPOLL", "y", "the in-guest daemon cannot serve requests"},

    {kChannel, "NET", "y", "there are no sockets"},
    {kChannel, "VIRTIO_MMIO", "m or y", "the guest cannot see its devices"},
    {kChannel, "VSOCKETS", "m or y", "the guest cannot talk to the host"},
    {kChannel, "VIRTIO_VSOCKETS", "m or y",
     "the guest cannot talk to the host"},

    {kTopology, "SMP", "y", "the guest has one CPU whatever was declared"},
    {kTopology, "ACPI", "y", "declared CPUs, caches and nodes are not read"},
    {kTopology, "X86_X2APIC", "y", "CPUs beyond the 255th cannot start"},
    {kTopology, "SCHED_MC", "y",
     "the scheduler builds no domain of CPUs that share a cache"},
    {kTopology, "SCHED_SMT", "y",
     "the scheduler builds no domain of sibling threads"},
    {kTopology, "NUMA", "y", "declared NUMA nodes are one node"},
    {kTopology, "X86_64_ACPI_NUMA", "y", "declared NUMA nodes are not read"},
    {kTopology, "ACPI_HMAT", "y", "declared memory tiers are not read"},

    {kCgroups, "CGROUPS", "y", "scenarios cannot make cgroups"},
    {kCgroups, "CPUSETS", "y", "scenarios cannot confine cgroups to CPUs"},
    {kCgroups, "CGROUP_SCHED", "y", "cgroups have no CPU weight"},
    {kCgroups, "FAIR_GROUP_SCHED", "y", "cgroups have no CPU weight"},
    {kCgroups, "CFS_BANDWIDTH", "y", "cgroups have no CPU quota"},
    {kCgroups, "CGROUP_PIDS", "y", "cgroups cannot limit tasks"},
    {kCgroups, "MEMCG", "y", "cgroups cannot limit memory"},

    {kSchedExt, "SCHED_CLASS_EXT", "y", "sched_ext schedulers cannot attach"},
    {kSchedExt, "BPF_SYSCALL", "y", "BPF programs cannot be loaded"},
    {kSchedExt, "BPF", "y", "BPF programs cannot be loaded"},
    {kSchedExt, "BPF_JIT", "y", "sched_ext needs compiled BPF programs"},
    {kSchedExt, "DEBUG_INFO_BTF", "y",
     "schedulers cannot find kernel types (is pahole installed?)"},
    {kSchedExt, "EXT_GROUP_SCHED", "y",
     "schedulers are not told of cgroup weights"},

    {kTracing, "FTRACE", "y", "there are no probes and no trace events"},
    {kTracing, "KPROBES", "y", "there are no kernel probes"},
    {kTracing, "KPROBE_EVENTS", "y", "there are no kernel probes"},
    {kTracing, "PERF_EVENTS", "y", "BPF programs cannot attach to probes"},
    {kTracing, "BPF_EVENTS", "y", "BPF programs cannot attach to probes"},
    {kTracing, "DEBUG_FS", "y", "trace and scheduler debug files are absent"},

    {kMonitor, "IKCONFIG", "y", "the image does not say how it was configured"},
    {kMonitor, "KALLSYMS_ALL", "y", "the monitor cannot find kernel variables"},
    {kMonitor, "DEBUG_INFO_BTF", "y",
     "the monitor cannot find fields of kernel structures"},
    {kMonitor, "SCHEDSTATS", "y", "run delay and domain counters are zero"},
    {kMonitor, "HYPERVISOR_GUEST", "y", "the guest has no stable clock"},
    {kMonitor, "PARAVIRT", "y", "the guest has no stable clock"},
    {kMonitor, "PARAVIRT_TIME_ACCOUNTING", "y",
     "time the host takes away counts as CPU time of tests"},
    {kMonitor, "PROVE_LOCKING", "n", "lock checking distorts every timing"},
    {kMonitor, "DEBUG_LOCKDEP", "n", "lock checking distorts every timing"},
    {kMonitor, "PSI", "n", "pressure accounting distorts context switches"},
};

}  // namespace

absl::Span<const RequiredOption> RequiredOptions() { return kTable; }

}  // namespace ktstr::kconfig
