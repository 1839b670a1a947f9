// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstddef>
#include <cstdint>

#include "kernel/decompress.h"
#include "kernel/image.h"

// A kernel file comes from whoever names it on the command line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  // A kilobyte may unpack to many megabytes, which takes time.
  constexpr uint64_t kMaxBytes = 256 * 1024;
  ktstr::kernel::Decompress(bytes, kMaxBytes).IgnoreError();
  absl::StatusOr<std::string> elf =
      ktstr::kernel::ExtractVmlinux(bytes, kMaxBytes);
  if (!elf.ok()) return 0;
  if (!ktstr::kernel::RecogniseImage(*elf).ok()) __builtin_trap();
  absl::StatusOr<std::string> stripped = ktstr::kernel::StripDebug(*elf);
  if (!stripped.ok()) return 0;
  // What was stripped must still be what it was.
  if (!ktstr::kernel::RecogniseImage(*stripped).ok()) __builtin_trap();
  if (!ktstr::kernel::StripDebug(*stripped).ok()) __builtin_trap();
  return 0;
}
