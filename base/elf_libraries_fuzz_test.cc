// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/elf_libraries.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)ktstr::ParseElfDynamic(bytes);
  (void)ktstr::ParseLdSoConf(bytes);
  return 0;
}
