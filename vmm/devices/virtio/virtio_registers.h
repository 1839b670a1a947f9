// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Numbers shared by every virtio device.
//
// Source: VIRTIO 1.2 section 2.1 (status), 2.7 (split virtqueues), 5 (ids), 6
//         (reserved features).
#ifndef KTSTR_VMM_DEVICES_VIRTIO_VIRTIO_REGISTERS_H_
#define KTSTR_VMM_DEVICES_VIRTIO_VIRTIO_REGISTERS_H_

#include <cstdint>

namespace ktstr::vmm::virtio {

// Device status (2.1).
inline constexpr uint32_t kStatusAcknowledge = 1;
inline constexpr uint32_t kStatusDriver = 2;
inline constexpr uint32_t kStatusDriverOk = 4;
inline constexpr uint32_t kStatusFeaturesOk = 8;
inline constexpr uint32_t kStatusNeedsReset = 64;
inline constexpr uint32_t kStatusFailed = 128;

// Device-independent features (6).
inline constexpr uint64_t kFeatureVersion1 = uint64_t{1} << 32;

// Descriptors (2.7.5): 16 bytes, le64 address, le32 length, le16 flags, le16
// next.
inline constexpr uint64_t kDescriptorBytes = 16;
inline constexpr uint16_t kDescriptorNext = 1;
inline constexpr uint16_t kDescriptorWrite = 2;
inline constexpr uint16_t kDescriptorIndirect = 4;

// Available ring (2.7.6): le16 flags, le16 index, le16 heads.
inline constexpr uint16_t kAvailableNoInterrupt = 1;
inline constexpr uint64_t kAvailableIndexOffset = 2;
inline constexpr uint64_t kAvailableRingOffset = 4;
inline constexpr uint64_t kAvailableEntryBytes = 2;

// Used ring (2.7.8): le16 flags, le16 index, entries of le32 head, le32 length.
inline constexpr uint64_t kUsedIndexOffset = 2;
inline constexpr uint64_t kUsedRingOffset = 4;
inline constexpr uint64_t kUsedEntryBytes = 8;

// Alignment of the three areas (2.7).
inline constexpr uint64_t kDescriptorAlign = 16;
inline constexpr uint64_t kAvailableAlign = 2;
inline constexpr uint64_t kUsedAlign = 4;

// Device ids (5).
inline constexpr uint32_t kDeviceIdConsole = 3;
inline constexpr uint32_t kDeviceIdVsock = 19;

}  // namespace ktstr::vmm::virtio

#endif  // KTSTR_VMM_DEVICES_VIRTIO_VIRTIO_REGISTERS_H_
