// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// BPF maps of the running kernel.
#ifndef KTSTR_GUESTD_BPF_MAPS_H_
#define KTSTR_GUESTD_BPF_MAPS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "guestd/map_write.h"

namespace ktstr::guestd {

// The maps that BPF programs with ids above `id` use, each once, by their ids.
//
// Errors: what the kernel says when it does not list its programs.
absl::StatusOr<std::vector<BpfMap>> MapsOfProgramsSince(uint32_t id);

// Puts `value` into the 4 bytes at `offset` of the first value of `map`, an
// array, while programs use it. Where the map can be mapped into memory nothing
// else is touched; elsewhere the whole value is read and written back, and what
// a program wrote meanwhile is lost.
//
// Errors:
//   PermissionDenied  the map is frozen.
//   others            what the kernel says.
absl::Status StoreInKernelMap(const BpfMap& map, uint32_t offset,
                              uint32_t value);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_BPF_MAPS_H_
