// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_HOST_H_
#define KTSTR_HOSTD_HOST_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace ktstr::hostd {

// How a hostd is set up.
struct HostOptions {
  std::string coordinator;
  std::string host_id;    // empty: the machine's host name
  std::string cache_dir;  // empty: "hostd" below the user's cache directory
  int64_t cache_mib = 20 << 10;
  std::string run_dir;
  int cpus = 0;            // 0: all this process may use
  int64_t memory_mib = 0;  // 0: nine tenths of what is available
  std::string libexec_dir;
  std::string extra_cmdline;
  bool keeps_run_dirs = false;
  bool is_performance_mode_off = false;
  int ready_fd = -1;
  // Whose end is ours; 0: nobody's.
  pid_t parent = 0;
};

// Composes and runs one hostd until SIGTERM or SIGINT: the first lets guests
// end and reports them, the second leaves at once. Nothing of it is left
// afterwards.
//
// Blocks: until then, or until the coordinator sends this host away.
// Errors: Synchronizer::Run's, and those of making the directories.
absl::Status RunHost(const HostOptions& options);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_HOST_H_
