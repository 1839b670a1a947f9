// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a server, or whoever claims to be it, sends as lists.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kernel/checksums.h"
#include "kernel/releases.h"

using ktstr::kernel::Checksums;
using ktstr::kernel::KernelVersion;
using ktstr::kernel::ReleaseIndex;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // SAFETY: bytes are bytes; it only reads.
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const KernelVersion low = {.major = 6, .minor = 6};
  const KernelVersion high = {.major = 6};
  if (auto index = ReleaseIndex::Parse(text); index.ok()) {
    if (auto newest = index->Newest(high); newest && !high.Covers(*newest)) {
      abort();
    }
    if (auto range = index->Range(low, high); range.ok()) {
      for (const KernelVersion& version : *range) {
        if (version < low) abort();
      }
    }
    index->Default().IgnoreError();
    index->IsEol(low);
  }
  const Checksums sums = Checksums::Parse(text);
  if (auto newest = sums.Newest(high)) {
    if (!sums.Find(TarballName(*newest))) abort();
  }
  return 0;
}
