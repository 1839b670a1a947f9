// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdint>

#include "model/machine_spec.h"

// Descriptions come from an owner, reports from a vmm that a guest may have
// taken over. What is accepted is written and read again unchanged.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto spec = ktstr::ParseMachineSpec(text); spec.ok()) {
    std::string once = ktstr::FormatMachineSpec(*spec);
    auto again = ktstr::ParseMachineSpec(once);
    if (!again.ok()) __builtin_trap();
    if (ktstr::FormatMachineSpec(*again) != once) __builtin_trap();
  }
  if (auto event = ktstr::ParseMachineEvent(text); event.ok()) {
    if (!ktstr::ParseMachineEvent(ktstr::FormatMachineEvent(*event)).ok()) {
      __builtin_trap();
    }
  }
  return 0;
}
