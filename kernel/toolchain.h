// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_TOOLCHAIN_H_
#define KTSTR_KERNEL_TOOLCHAIN_H_

#include <string>

#include "absl/status/statusor.h"

namespace ktstr::kernel {

// What compiles kernels on this machine.
struct Toolchain {
  std::string compiler;  // "gcc 12"
  // Name suffix of clang, llc and llvm-strip that can compile BPF: "-19", or ""
  // for unversioned names. Valid when `has_bpf_compiler`.
  std::string llvm_suffix;
  bool has_bpf_compiler = false;
  // Whether compilations go through it; what comes out is the same.
  bool has_ccache = false;
};

// Looks at PATH.
//
// Errors: FailedPrecondition naming every missing tool and its package.
absl::StatusOr<Toolchain> FindToolchain();

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_TOOLCHAIN_H_
