// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A kernel file of any bytes: refused with a sentence, or every segment lies in
// the file and in RAM and is there after loading.

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "vmm/boot/elf.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kRamBytes = 1 << 20;
constexpr GuestPhysAddr kFloor(0x1000);

void Load(const uint8_t* data, size_t size, const ElfImage& image) {
  static GuestMemory* memory = GuestMemory::Create({{.start = GuestPhysAddr(0),
                                                     .size_bytes = kRamBytes}})
                                   .value()
                                   .release();
  // A new file each time: what was loaded may be mapped.
  UniqueFd file =
      MemoryFile("kernel",
                 absl::string_view(reinterpret_cast<const char*>(data), size))
          .value();
  absl::StatusOr<ElfImage> loaded = LoadElf(file.get(), kFloor, *memory);
  if (!loaded.ok()) return;
  if (loaded->segments.size() != image.segments.size()) std::abort();
  if (loaded->end() > GuestPhysAddr(kRamBytes)) std::abort();
  // The last one is not overwritten by others.
  const ElfSegment& last = image.segments.back();
  std::vector<std::byte> bytes(last.file_bytes);
  if (!memory->Read(last.start, absl::MakeSpan(bytes)).ok()) std::abort();
  if (!std::equal(
          bytes.begin(), bytes.end(),
          reinterpret_cast<const std::byte*>(data) + last.file_offset)) {
    std::abort();
  }
}

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  auto bytes = std::as_bytes(std::span(data, size));
  auto image = ParseElf({bytes.data(), bytes.size()}, size);
  if (!image.ok()) return 0;
  for (const auto& segment : image->segments) {
    if (segment.file_offset + segment.file_bytes > size) std::abort();
    if (segment.end() < segment.start) std::abort();
  }
  Load(data, size, *image);
  return 0;
}
