// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_KERNEL_SYMBOLS_H_
#define KTSTR_HOSTD_KERNEL_SYMBOLS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ktstr::hostd {

// Where a kernel that is loaded as its program headers say, without KASLR (vmm
// loads an ELF vmlinux that way), has a variable.
struct KernelVariable {
  uint64_t guest_physical = 0;
  uint64_t size_bytes = 0;
};

// Looks variables up in the symbol table of an x86-64 vmlinux, in the order of
// `names`.
//
// Trust:  the image is whoever's who submitted it.
// Errors: InvalidArgument for what is no such ELF file; NotFound naming the
//         first variable that is not there, or the absence of a symbol table.
// Source: System V ABI, chapter 4 (symbol table) and 5 (program header).
absl::StatusOr<std::vector<KernelVariable>> FindKernelVariables(
    absl::string_view image, absl::Span<const char* const> names);

// The same for a file.
absl::StatusOr<std::vector<KernelVariable>> FindKernelVariablesInFile(
    const std::string& path, absl::Span<const char* const> names);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_KERNEL_SYMBOLS_H_
