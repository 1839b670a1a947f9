// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Any bytes as rings and descriptors: every chain that comes out must lie in
// RAM, and the work must end.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
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

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  GuestMemory& memory = Memory();
  if (!memory.Fill(GuestPhysAddr(0), 4096, 0).ok()) std::abort();
  const size_t used = std::min<size_t>(size, 1024);
  if (!memory
           .Write(GuestPhysAddr(0),
                  absl::MakeConstSpan(reinterpret_cast<const std::byte*>(data),
                                      used))
           .ok()) {
    std::abort();
  }
  Virtqueue queue = Virtqueue::Create(&memory, kLayout).value();
  for (int i = 0; i < 4 * kSize; ++i) {
    auto chain = queue.Pop();
    if (!chain.ok() || !chain->has_value()) break;
    UseBytes((*chain)->readable);
    UseBytes((*chain)->writable);
    if (!queue.Push((*chain)->head, 1).ok()) std::abort();
    if (!queue.DriverWantsInterrupt().ok()) std::abort();
  }
  return 0;
}
