// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_VMM_PROCESS_H_
#define KTSTR_HOSTD_VMM_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "hostd/guest_ram.h"
#include "model/machine_spec.h"

namespace ktstr::hostd {

// What a vmm is started with.
struct VmmOptions {
  std::string program;
  int64_t epoch = 0;
  // Descriptor fields are filled in by Start.
  MachineSpec machine;
  // Borrowed for the call.
  int kernel_fd = -1;
  std::vector<int> initrd_fds;
};

// One running vmm with hostd's ends of its pipes.
//
// Lifetime: the destructor kills and reaps it. It also dies with the thread
//           that started it, and with hostd.
// Threads:  the thread that started it.
class VmmProcess {
 public:
  // Errors: NotFound when the program cannot be executed; the mapping of errno.
  static absl::StatusOr<VmmProcess> Start(const VmmOptions& options);

  // Readable once vmm has ended.
  int pidfd() const { return process_.pidfd(); }
  // Non-blocking; at their end once vmm has ended.
  int console_fd() const { return console_.get(); }
  int report_fd() const { return report_.get(); }
  int stderr_fd() const { return stderr_.get(); }

  // The guest's RAM, when the machine description says shares_memory and vmm
  // has reported "slots". Once.
  //
  // Errors: those of ReceiveDescriptors and GuestRam::Create.
  absl::StatusOr<GuestRam> ReceiveMemory();

  // Asks for an end of kind "stopped". A second call does nothing.
  void RequestStop();
  void Kill();
  // Reaps it; call when pidfd() is readable.
  absl::StatusOr<ExitStatus> Wait() { return process_.Wait(); }

 private:
  explicit VmmProcess(Subprocess process) : process_(std::move(process)) {}

  Subprocess process_;
  UniqueFd console_;
  UniqueFd report_;
  UniqueFd stderr_;
  UniqueFd control_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_VMM_PROCESS_H_
