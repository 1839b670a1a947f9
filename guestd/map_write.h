// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Which map of a scheduler a declared write is into, and doing all of them.
// Pure; bpf_maps.h asks the kernel.
#ifndef KTSTR_GUESTD_MAP_WRITE_H_
#define KTSTR_GUESTD_MAP_WRITE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/setup.pb.h"

namespace ktstr::guestd {

// A BPF map as the kernel tells of it.
struct BpfMap {
  uint32_t id = 0;
  std::string name;          // at most 15 bytes
  uint32_t type = 0;         // BPF_MAP_TYPE_ of linux/bpf.h
  uint32_t value_size = 0;   // bytes
  bool is_mappable = false;  // BPF_F_MMAPABLE
};

// The one of `maps` that `write` is into; lives as long as they.
//
// Errors, each as the end of a sentence about the write:
//   InvalidArgument  a suffix or offset that model/map_write_rules.h refuses,
//   or
//                    a word that is not within the value.
//   NotFound         no name ends so.
//   FailedPrecondition  several do, or the map is no array.
absl::StatusOr<const BpfMap*> FindMap(absl::Span<const BpfMap> maps,
                                      const v1::BpfMapWrite& write);

// Puts `value` into the 4 bytes at `offset` of a map.
using StoreInMap = std::function<absl::Status(const BpfMap& map,
                                              uint32_t offset, uint32_t value)>;

// Does every one of `writes`, in their order, whatever comes of those before.
//
// Errors:
//   FailedPrecondition  some could not be done: one sentence of each, and which
//                       maps there are.
absl::Status WriteMaps(
    const google::protobuf::RepeatedPtrField<v1::BpfMapWrite>& writes,
    absl::Span<const BpfMap> maps, const StoreInMap& store);

// "array", "ringbuf", ... ; "type 99" for one this program does not know.
std::string MapTypeName(uint32_t type);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_MAP_WRITE_H_
