// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "guestd/cmdline.h"
#include "guestd/frames.h"

// First byte: size of the pieces the rest arrives in.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  ktstr::guestd::ParseCmdline(input);
  ktstr::guestd::ModuleParameters(input, "virtio_mmio");
  if (input.empty()) return 0;
  size_t piece = 1 + static_cast<uint8_t>(input[0]);
  ktstr::guestd::FrameReader reader;
  for (size_t at = 1; at < input.size(); at += piece) {
    reader.Append(input.substr(at, piece));
    while (true) {
      auto frame = reader.Next();
      if (!frame.ok()) return 0;
      if (!frame->has_value()) break;
    }
  }
  return 0;
}
