// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/virtqueue.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {
namespace {

using namespace virtio;  // NOLINT: register names only.

struct Descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};
static_assert(sizeof(Descriptor) == kDescriptorBytes);

absl::Status CheckArea(const GuestMemory& memory, absl::string_view name,
                       GuestPhysAddr start, uint64_t size_bytes,
                       uint64_t align) {
  if (!start.IsAlignedTo(align)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s at %#x is not aligned to %u", name, start.value(), align));
  }
  if (!memory.Contains(start, size_bytes)) {
    return absl::OutOfRangeError(
        absl::StrFormat("%s at %#x of %u bytes is not all RAM", name,
                        start.value(), size_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

template <typename Visit>
absl::Status ChainBytes::ForEachPart(uint64_t offset, uint64_t size_bytes,
                                     Visit visit) const {
  if (offset > size_bytes_ || size_bytes > size_bytes_ - offset) {
    return absl::OutOfRangeError(
        absl::StrCat("bytes ", offset, " to ", offset + size_bytes,
                     " of a descriptor chain of ", size_bytes_, " bytes"));
  }
  uint64_t done = 0;
  for (const Piece& piece : pieces_) {
    if (done == size_bytes) break;
    if (offset >= piece.size_bytes) {
      offset -= piece.size_bytes;
      continue;
    }
    const uint64_t n = std::min(size_bytes - done, piece.size_bytes - offset);
    ABSL_RETURN_IF_ERROR(visit(piece.gpa + offset, n, done));
    offset = 0;
    done += n;
  }
  return absl::OkStatus();
}

absl::Status ChainBytes::Read(const GuestMemory& memory, uint64_t offset,
                              absl::Span<std::byte> out) const {
  return ForEachPart(offset, out.size(),
                     [&](GuestPhysAddr gpa, uint64_t n, uint64_t done) {
                       return memory.Read(gpa, out.subspan(done, n));
                     });
}

absl::Status ChainBytes::Write(GuestMemory& memory, uint64_t offset,
                               absl::Span<const std::byte> bytes) const {
  return ForEachPart(offset, bytes.size(),
                     [&](GuestPhysAddr gpa, uint64_t n, uint64_t done) {
                       return memory.Write(gpa, bytes.subspan(done, n));
                     });
}

absl::Status ChainBytes::AppendIovecs(const GuestMemory& memory,
                                      uint64_t offset, uint64_t size_bytes,
                                      std::vector<iovec>& out) const {
  return ForEachPart(offset, size_bytes,
                     [&](GuestPhysAddr gpa, uint64_t n, uint64_t) {
                       return memory.AppendIovecs(gpa, n, out);
                     });
}

absl::StatusOr<Virtqueue> Virtqueue::Create(GuestMemory* memory,
                                            const Layout& layout) {
  const uint64_t size = layout.size;
  if (size == 0 || size > kMaxSize || (size & (size - 1)) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("queue of ", size, " descriptors; accepted is a power of ",
                     "two up to ", kMaxSize));
  }
  ABSL_RETURN_IF_ERROR(CheckArea(*memory, "descriptor table",
                                 layout.descriptor_table,
                                 size * kDescriptorBytes, kDescriptorAlign));
  ABSL_RETURN_IF_ERROR(CheckArea(
      *memory, "available ring", layout.available_ring,
      kAvailableRingOffset + size * kAvailableEntryBytes, kAvailableAlign));
  ABSL_RETURN_IF_ERROR(CheckArea(*memory, "used ring", layout.used_ring,
                                 kUsedRingOffset + size * kUsedEntryBytes,
                                 kUsedAlign));
  return Virtqueue(memory, layout);
}

absl::StatusOr<std::optional<DescriptorChain>> Virtqueue::Pop() {
  ABSL_ASSIGN_OR_RETURN(
      const uint16_t index,
      memory_->LoadAcquireU16(layout_.available_ring + kAvailableIndexOffset));
  const uint16_t waiting = index - next_available_;
  if (waiting == 0) return std::nullopt;
  if (waiting > layout_.size) {
    return absl::InvalidArgumentError(
        absl::StrCat("available ring holds ", waiting,
                     " chains, the queue has ", layout_.size, " descriptors"));
  }
  const uint16_t slot = next_available_ % layout_.size;
  ABSL_ASSIGN_OR_RETURN(
      const uint16_t head,
      memory_->ReadU16(layout_.available_ring + kAvailableRingOffset +
                       slot * kAvailableEntryBytes));
  ABSL_ASSIGN_OR_RETURN(DescriptorChain chain, ReadChain(head));
  ++next_available_;
  return chain;
}

absl::StatusOr<DescriptorChain> Virtqueue::ReadChain(uint16_t head) const {
  DescriptorChain chain{.head = head};
  uint16_t at = head;
  for (int length = 0; length < layout_.size; ++length) {
    if (at >= layout_.size) {
      return absl::InvalidArgumentError(
          absl::StrCat("descriptor ", at, " of a queue of ", layout_.size));
    }
    std::array<std::byte, kDescriptorBytes> bytes;
    ABSL_RETURN_IF_ERROR(
        memory_->Read(layout_.descriptor_table + at * kDescriptorBytes,
                      absl::MakeSpan(bytes)));
    Descriptor descriptor;
    std::memcpy(&descriptor, bytes.data(), sizeof(descriptor));
    if (descriptor.flags & kDescriptorIndirect) {
      return absl::InvalidArgumentError(absl::StrCat(
          "descriptor ", at, " is indirect, which was not offered"));
    }
    if (descriptor.length == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("descriptor ", at, " is empty"));
    }
    const bool is_writable = descriptor.flags & kDescriptorWrite;
    if (!is_writable && chain.writable.size_bytes() > 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "descriptor ", at, " is readable and follows a writable one"));
    }
    const GuestPhysAddr gpa(descriptor.address);
    if (!memory_->Contains(gpa, descriptor.length)) {
      return absl::OutOfRangeError(
          absl::StrFormat("descriptor %u: %u bytes at %#x are not all RAM", at,
                          descriptor.length, descriptor.address));
    }
    (is_writable ? chain.writable : chain.readable).Add(gpa, descriptor.length);
    if (!(descriptor.flags & kDescriptorNext)) return chain;
    at = descriptor.next;
  }
  return absl::InvalidArgumentError(absl::StrCat("descriptor chain from ", head,
                                                 " has more than ",
                                                 layout_.size, " descriptors"));
}

absl::Status Virtqueue::Push(uint16_t head, uint32_t written_bytes) {
  const GuestPhysAddr entry = layout_.used_ring + kUsedRingOffset +
                              (next_used_ % layout_.size) * kUsedEntryBytes;
  ABSL_RETURN_IF_ERROR(memory_->WriteU32(entry, head));
  ABSL_RETURN_IF_ERROR(memory_->WriteU32(entry + 4, written_bytes));
  ++next_used_;
  return memory_->StoreReleaseU16(layout_.used_ring + kUsedIndexOffset,
                                  next_used_);
}

absl::StatusOr<bool> Virtqueue::DriverWantsInterrupt() const {
  // Ordered after the store of the used index: both are sequentially
  // consistent.
  ABSL_ASSIGN_OR_RETURN(const uint16_t flags,
                        memory_->LoadAcquireU16(layout_.available_ring));
  return !(flags & kAvailableNoInterrupt);
}

}  // namespace ktstr::vmm
