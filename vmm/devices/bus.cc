// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/bus.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_format.h"

namespace ktstr::vmm {

absl::Status Bus::Add(uint64_t base, uint64_t size_bytes, IoDevice* device,
                      uint64_t first_offset) {
  if (size_bytes == 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "put device %s at %#x: the range is empty", device->name(), base));
  }
  if (base + (size_bytes - 1) < base) {
    return absl::OutOfRangeError(
        absl::StrFormat("put device %s at %#x: %u bytes wrap around",
                        device->name(), base, size_bytes));
  }
  auto after = std::upper_bound(
      mappings_.begin(), mappings_.end(), base,
      [](uint64_t a, const Mapping& mapping) { return a < mapping.base; });
  const Mapping* clash = nullptr;
  if (after != mappings_.end() && after->base - base < size_bytes) {
    clash = &*after;
  }
  if (after != mappings_.begin()) {
    const Mapping& before = *std::prev(after);
    if (base - before.base < before.size_bytes) clash = &before;
  }
  if (clash != nullptr) {
    return absl::AlreadyExistsError(absl::StrFormat(
        "put device %s at %#x: %s is at %#x of %u bytes", device->name(), base,
        clash->device->name(), clash->base, clash->size_bytes));
  }
  mappings_.insert(after, {base, size_bytes, device, first_offset});
  return absl::OkStatus();
}

const Bus::Mapping* Bus::Find(uint64_t address, size_t access_bytes) const {
  auto after = std::upper_bound(
      mappings_.begin(), mappings_.end(), address,
      [](uint64_t a, const Mapping& mapping) { return a < mapping.base; });
  if (after == mappings_.begin()) return nullptr;
  const Mapping& mapping = *std::prev(after);
  const uint64_t offset = address - mapping.base;
  if (offset >= mapping.size_bytes) return nullptr;
  return access_bytes <= mapping.size_bytes - offset ? &mapping : nullptr;
}

bool Bus::Read(uint64_t address, absl::Span<std::byte> out) const {
  const Mapping* mapping = Find(address, out.size());
  if (mapping == nullptr) {
    std::fill(out.begin(), out.end(), std::byte{0xff});
    return false;
  }
  mapping->device->Read(address - mapping->base + mapping->first_offset, out);
  return true;
}

bool Bus::Write(uint64_t address, absl::Span<const std::byte> in) const {
  const Mapping* mapping = Find(address, in.size());
  if (mapping == nullptr) return false;
  mapping->device->Write(address - mapping->base + mapping->first_offset, in);
  return true;
}

}  // namespace ktstr::vmm
