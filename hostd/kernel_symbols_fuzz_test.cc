// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Any bytes as a kernel image. Variables that are found have an address.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "hostd/kernel_symbols.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // SAFETY: bytes are bytes.
  const absl::string_view image(reinterpret_cast<const char*>(data), size);
  auto found = ktstr::hostd::FindKernelVariables(image, {"a", "scx"});
  if (found.ok() && found->size() != 2) abort();
  return 0;
}
