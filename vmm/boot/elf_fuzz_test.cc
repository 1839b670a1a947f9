// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdint>
#include <span>

#include "vmm/boot/elf.h"

// The first bytes of a kernel file come from whoever submitted it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  auto image = ktstr::vmm::ParseElf({bytes.data(), bytes.size()}, size);
  if (!image.ok()) return 0;
  for (const auto& segment : image->segments) {
    if (segment.file_offset + segment.file_bytes > size) __builtin_trap();
    if (segment.end() < segment.start) __builtin_trap();
  }
  return 0;
}
