// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_boot.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/guest_layout.h"

namespace ktstr::hostd {
namespace {

// What a kernel needs beside its image and the initramfs, in MiB.
constexpr int64_t kMemoryReserveMib = 96;
// Warnings and worse; everything. A panic and an oops are printed whole anyway.
constexpr char kQuietConsole[] = "loglevel=5";
constexpr char kVerboseConsole[] = "ignore_loglevel";
constexpr char kOneCpuAtBoot[] = "maxcpus=1";
// The archive is unpacked into the plainest file system there is: a page of it
// takes half as long as one of tmpfs.
constexpr char kRoot[] = "rootfstype=ramfs";

absl::StatusOr<std::string> MakeNonce() {
  char bytes[16];
  if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
    return absl::ErrnoToStatus(errno, "getrandom");
  }
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

// The initramfs lies in memory twice while it is unpacked, the kernel once as a
// file and once loaded; a guest without that much cannot say hello.
int64_t MemoryFloorMib(int64_t kernel_bytes,
                       const std::vector<UniqueFd>& initrds) {
  int64_t bytes = kernel_bytes;
  for (const UniqueFd& fd : initrds) {
    struct stat info;
    if (fstat(fd.get(), &info) == 0) bytes += 2 * info.st_size;
  }
  return (bytes >> 20) + kMemoryReserveMib;
}

// Every node's share of it is made of whole pages of 2 MiB.
int64_t WholeHugePages(int64_t memory_mib, int nodes) {
  const int64_t unit = 2 * nodes;
  return (memory_mib + unit - 1) / unit * unit;
}

std::vector<int> Numbers(const std::vector<UniqueFd>& fds) {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

// A trace buffer for each CPU. guestd has one instance of tracefs for the dumps
// of sched_ext, which are written on one CPU at once; the kernel's own 1.4 MiB
// would make 350 MiB of 252 CPUs.
std::string TraceBuffers(int cpus) {
  constexpr int kAllKib = 16 << 10;
  return absl::StrCat("trace_buf_size=", std::clamp(kAllKib / cpus, 128, 1024),
                      "K");
}

std::string GuestCmdline(const GuestBootOptions& options, const GuestBoot& boot,
                         const std::string& nonce) {
  std::vector<std::string> words;
  // Every byte on the console is an exit or two.
  words.push_back(boot.is_verbose ? kVerboseConsole : kQuietConsole);
  words.push_back(kRoot);
  // Until the kernel trusts its clock, idle CPUs tick: on a host with fewer
  // CPUs nothing else gets done. guestd brings them up when they can sleep.
  if (boot.topology.cpus() > options.host_cpus) words.push_back(kOneCpuAtBoot);
  words.push_back(TraceBuffers(boot.topology.cpus()));
  // None of them is one of ours: those are reserved.
  words.insert(words.end(), boot.kargs.begin(), boot.kargs.end());
  words.push_back(absl::StrCat(kCmdlineEpoch, "=", boot.epoch));
  words.push_back(absl::StrCat(kCmdlineNonce, "=", nonce));
  // Last, because the kernel takes the last word of a name.
  if (!options.extra_cmdline.empty()) words.push_back(options.extra_cmdline);
  return absl::StrJoin(words, " ");
}

}  // namespace

StartedGuest::Directory::Directory(Directory&& other) noexcept
    : path_(std::exchange(other.path_, "")), is_kept_(other.is_kept_) {}

StartedGuest::Directory::~Directory() {
  if (!path_.empty() && !is_kept_) RemoveTree(path_).IgnoreError();
}

StartedGuest::StartedGuest(Directory directory, std::string vsock_path,
                           HelloListener hello, absl::Duration started,
                           VmmProcess vmm)
    : directory_(std::move(directory)),
      vsock_path_(std::move(vsock_path)),
      hello_(std::move(hello)),
      started_(started),
      vmm_(std::move(vmm)) {}

absl::StatusOr<StartedGuest> StartedGuest::Start(
    const GuestBootOptions& options, const RunDir& run_dir,
    const GuestBoot& boot) {
  ABSL_ASSIGN_OR_RETURN(std::string path, run_dir.MakeAttemptDir());
  Directory directory(std::move(path), options.keeps_run_dirs);
  ABSL_ASSIGN_OR_RETURN(std::string nonce, MakeNonce());
  std::string vsock_path = JoinPath(directory.path(), "v");
  ABSL_ASSIGN_OR_RETURN(
      HelloListener hello,
      HelloListener::Create(absl::StrCat(vsock_path, "_", kHostHelloPort),
                            boot.epoch, nonce));
  VmmOptions vmm_options = {.program = options.vmm_program,
                            .epoch = boot.epoch,
                            .kernel_fd = boot.kernel->fd(),
                            .initrd_fds = Numbers(*boot.initrds)};
  MachineSpec& machine = vmm_options.machine;
  machine.topology = boot.topology;
  machine.memory_mib =
      std::max(boot.memory_mib,
               MemoryFloorMib(boot.kernel->size_bytes(), *boot.initrds));
  machine.details = boot.details;
  if (!machine.details.nodes.empty()) {
    machine.details.nodes[0].memory_mib += machine.memory_mib - boot.memory_mib;
  }
  if (boot.performance) {
    machine.performance = boot.performance;
    machine.memory_mib =
        WholeHugePages(machine.memory_mib, boot.topology.nodes());
  }
  machine.cmdline = GuestCmdline(options, boot, nonce);
  machine.vsock_path = vsock_path;
  machine.shares_memory = boot.shares_memory;
  machine.deadline = boot.deadline;
  absl::Duration started = options.clock->Monotonic();
  ABSL_ASSIGN_OR_RETURN(VmmProcess vmm, VmmProcess::Start(vmm_options));
  return StartedGuest(std::move(directory), std::move(vsock_path),
                      std::move(hello), started, std::move(vmm));
}

}  // namespace ktstr::hostd
