// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Any bytes as rings and descriptors: every chain that comes out must lie in
// RAM, and the work must end.
//
// Shape: the first byte says whether the last bytes are the place of the rings;
//        the others are the first bytes of RAM.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "vmm/devices/virtio/virtqueue.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kRamBytes = 16 * 4096;
constexpr uint16_t kSize = 16;
// The rings and the table overlap the fuzzer's bytes, close together.
constexpr Virtqueue::Layout kLayout = {.size = kSize,
                                       .descriptor_table = GuestPhysAddr(0),
                                       .available_ring = GuestPhysAddr(256),
                                       .used_ring = GuestPhysAddr(320)};

GuestMemory& Memory() {
  // Two regions, so that buffers may cross from one to the other.
  static GuestMemory* memory =
      GuestMemory::Create({{.start = GuestPhysAddr(0), .size_bytes = 8 * 4096},
                           {.start = GuestPhysAddr(8 * 4096),
                            .size_bytes = kRamBytes - 8 * 4096,
                            .node = 1}})
          .value()
          .release();
  return *memory;
}

void UseBytes(const ChainBytes& bytes) {
  std::vector<iovec> pieces;
  if (!bytes.AppendIovecs(Memory(), 0, bytes.size_bytes(), pieces).ok()) {
    std::abort();
  }
  for (const iovec& piece : pieces) {
    // Touch both ends: a wrong pointer is found here.
    volatile char* at = static_cast<char*>(piece.iov_base);
    (void)at[0];
    (void)at[piece.iov_len - 1];
  }
}

// Reads and writes at and over the ends of a chain's pieces.
void CopyBytes(const ChainBytes& bytes) {
  std::array<std::byte, 300> buffer;
  const uint64_t size = bytes.size_bytes();
  for (uint64_t offset : {uint64_t{0}, size / 3, size - size / 7}) {
    const uint64_t fits = std::min<uint64_t>(buffer.size(), size - offset);
    auto part = absl::MakeSpan(buffer).first(fits);
    if (!bytes.Read(Memory(), offset, part).ok()) std::abort();
    if (!bytes.Write(Memory(), offset, part).ok()) std::abort();
  }
  if (bytes.Read(Memory(), size, absl::MakeSpan(buffer).first(1)).ok()) {
    std::abort();
  }
  if (bytes.Write(Memory(), 1, absl::MakeSpan(buffer)).ok() !=
      (size > buffer.size())) {
    std::abort();
  }
}

// Sizes and addresses from the driver, as the transport hands them on.
Virtqueue::Layout LayoutFrom(const uint8_t* bytes) {
  std::array<uint32_t, 4> words;
  std::memcpy(words.data(), bytes, sizeof(words));
  return {.size = uint16_t(words[0]),
          .descriptor_table = GuestPhysAddr(words[1]),
          .available_ring = GuestPhysAddr(words[2]),
          .used_ring = GuestPhysAddr(words[3])};
}

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  GuestMemory& memory = Memory();
  if (!memory.Fill(GuestPhysAddr(0), kRamBytes, 0).ok()) std::abort();
  const size_t used = std::min<size_t>(size, 1024);
  if (!memory
           .Write(GuestPhysAddr(0),
                  absl::MakeConstSpan(reinterpret_cast<const std::byte*>(data),
                                      used))
           .ok()) {
    std::abort();
  }
  Virtqueue::Layout layout = kLayout;
  if (size > 64 && (data[0] & 1)) layout = LayoutFrom(data + size - 16);
  absl::StatusOr<Virtqueue> created = Virtqueue::Create(&memory, layout);
  if (!created.ok()) return 0;
  Virtqueue queue = *std::move(created);
  for (int i = 0; i < 4 * kSize; ++i) {
    auto chain = queue.Pop();
    if (!chain.ok() || !chain->has_value()) break;
    UseBytes((*chain)->readable);
    UseBytes((*chain)->writable);
    CopyBytes((*chain)->readable);
    // Whatever the device wrote may be rings and descriptors, too.
    CopyBytes((*chain)->writable);
    if (!queue.Push((*chain)->head, 1).ok()) std::abort();
    if (!queue.DriverWantsInterrupt().ok()) std::abort();
  }
  return 0;
}
