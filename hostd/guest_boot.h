// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_GUEST_BOOT_H_
#define KTSTR_HOSTD_GUEST_BOOT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "hostd/artifact_cache.h"
#include "hostd/hello.h"
#include "hostd/run_dir.h"
#include "hostd/vmm_process.h"
#include "model/machine_topology.h"
#include "model/performance_spec.h"
#include "model/topology.h"

namespace ktstr::hostd {

// What every guest of this host has in common.
struct GuestBootOptions {
  std::string vmm_program;
  // A guest with more vCPUs is overcommitted.
  int host_cpus = 1;
  // Behind all other words of the kernel's command line.
  std::string extra_cmdline;
  // Leave sockets and directories of guests behind.
  bool keeps_run_dirs = false;
  Clock* clock = nullptr;
};

// One guest to be started.
struct GuestBoot {
  int64_t epoch = 1;
  Topology topology;
  // The nodes of a machine that is not uniform; the memory of the first one is
  // raised with that of the machine.
  MachineDetails details;
  // Raised to what kernel and initramfs need to unpack.
  int64_t memory_mib = 0;
  // Set: hardware of its own, or no guest at all.
  std::optional<PerformanceSpec> performance;
  // Words for the kernel's command line; checked by model/scheduler_rules.h.
  std::vector<std::string> kargs;
  // VmmProcess::ReceiveMemory gives the guest's RAM.
  bool shares_memory = false;
  // The console gets everything the kernel logs, not warnings and worse only.
  bool is_verbose = false;
  // vmm ends the machine then; zero: never.
  absl::Duration deadline;
  // Borrowed for the call.
  const HeldArtifact* kernel = nullptr;
  const std::vector<UniqueFd>* initrds = nullptr;
};

// A machine that was started and will call back.
//
// Lifetime: the destructor kills and reaps vmm and removes the directory.
// Threads:  the thread that started it, which must live as long as vmm.
class StartedGuest {
 public:
  // Errors: those of the directory, the socket and VmmProcess::Start; nothing
  //         is left then.
  static absl::StatusOr<StartedGuest> Start(const GuestBootOptions& options,
                                            const RunDir& run_dir,
                                            const GuestBoot& boot);
  StartedGuest(StartedGuest&&) = default;

  VmmProcess& vmm() { return vmm_; }
  HelloListener& hello() { return hello_; }
  const std::string& vsock_path() const { return vsock_path_; }
  // Just before vmm was started, on the clock's monotonic time.
  absl::Duration started() const { return started_; }

 private:
  // Removes the directory unless it is to be kept.
  class Directory {
   public:
    Directory(std::string path, bool is_kept)
        : path_(std::move(path)), is_kept_(is_kept) {}
    Directory(Directory&& other) noexcept;
    ~Directory();

    const std::string& path() const { return path_; }

   private:
    std::string path_;
    bool is_kept_;
  };

  StartedGuest(Directory directory, std::string vsock_path, HelloListener hello,
               absl::Duration started, VmmProcess vmm);

  // In order of making; vmm goes first.
  Directory directory_;
  std::string vsock_path_;
  HelloListener hello_;
  absl::Duration started_;
  VmmProcess vmm_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_GUEST_BOOT_H_
