// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstddef>
#include <cstdint>

#include "kconfig/embedded.h"
#include "kconfig/parse.h"

// Kernel images and .config files come from whoever names them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  ktstr::kconfig::EmbeddedConfigText(bytes).IgnoreError();
  absl::StatusOr<ktstr::kconfig::Kconfig> config =
      ktstr::kconfig::Kconfig::Parse(bytes);
  if (!config.ok()) return 0;
  for (const auto& [option, value] : config->options()) {
    if (option.empty() || value.empty()) __builtin_trap();
    if (config->Get(option) != value) __builtin_trap();
  }
  return 0;
}
