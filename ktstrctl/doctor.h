// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_DOCTOR_H_
#define KTSTR_KTSTRCTL_DOCTOR_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ktstr::ktstrctl {

// One thing that was looked at.
struct Check {
  enum class State { kUnspecified = 0, kOk, kWarn, kFail };
  State state = State::kUnspecified;
  std::string name;    // "kvm"
  std::string detail;  // what was found
  std::string advice;  // what to do; empty when fine
};

// "ok", "warn", "fail".
absl::string_view StateName(Check::State state);

// Looks whether this machine can run guests: /dev/kvm, the micro-guests of
// `vmm --probe`, our programs, the cache directory, a kernel, memory, disk.
//
// Blocks: a few seconds at most.
std::vector<Check> Examine();

// The device file alone. `path` is /dev/kvm outside tests.
Check CheckKvmDevice(const std::string& path);

// What the output of `vmm --probe` means.
//
// Trust: any text.
Check ReadProbe(absl::string_view output);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_DOCTOR_H_
