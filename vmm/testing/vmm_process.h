// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_TESTING_VMM_PROCESS_H_
#define KTSTR_VMM_TESTING_VMM_PROCESS_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "model/machine_spec.h"
#include "vmm/testing/guest_program.h"

namespace ktstr::vmm {

// The program vmm with a tiny guest, started as its owner would: everything by
// descriptors. The test's `data` names //vmm:vmm.
class VmmProcess {
 public:
  // Kernel, console and report descriptors of `spec` are filled in.
  //
  // Errors: the mapping of errno of what could not be made or started.
  static absl::StatusOr<VmmProcess> Start(const GuestProgram& program,
                                          MachineSpec spec);

  Subprocess& process() { return process_; }

  // Where its guest's console can be read, if anybody wants to: a pipe.
  int console() const { return console_.get(); }

  // What it said on its standard error so far.
  absl::StatusOr<std::string> Errors() const;
  // How the machine ended.
  // Errors: NotFound when its report has no end yet.
  absl::StatusOr<MachineEvent> End() const;

 private:
  VmmProcess(Subprocess process, UniqueFd console, UniqueFd report,
             UniqueFd errors)
      : process_(std::move(process)),
        console_(std::move(console)),
        report_(std::move(report)),
        errors_(std::move(errors)) {}

  Subprocess process_;
  UniqueFd console_;
  UniqueFd report_;
  UniqueFd errors_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_TESTING_VMM_PROCESS_H_
