// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Kernel images of a few hundred bytes for tests.
#ifndef KTSTR_KERNEL_TESTING_TINY_KERNEL_H_
#define KTSTR_KERNEL_TESTING_TINY_KERNEL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::kernel {

struct TinyKernelOptions {
  std::string release = "6.12.117";
  // Text of an embedded configuration; empty for none.
  std::string config = "CONFIG_SMP=y\n";
  // Size of a .debug_info section; 0 for none.
  size_t debug_bytes = 0;
};

// An x86-64 ELF executable with one PT_LOAD segment (banner, configuration, a
// .BTF section), a symbol table with the symbol "jiffies", and debug sections
// between them.
std::string MakeTinyVmlinux(const TinyKernelOptions& options = {});

enum class Packing { kGzip, kXz, kLz4, kZstd, kNone };

// `payload` compressed, with its unpacked size appended where kernels do that.
std::string Pack(absl::string_view payload, Packing packing);

// A bzImage (boot protocol 2.15) around a packed payload.
std::string MakeBzImage(absl::string_view packed);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_TESTING_TINY_KERNEL_H_
