// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_GUEST_RAM_H_
#define KTSTR_HOSTD_GUEST_RAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "model/memory_map.h"

namespace ktstr::hostd {

// The RAM of a guest, from outside: the files that vmm gave it.
//
// Trust:    map and files come from vmm, which a guest may have taken over: a
//           file that could shrink under us, or is too short, is refused. What
//           is in them is the guest's and changes at any time.
// Threads:  one at a time.
// Lifetime: keeps the guest's memory alive, also when vmm has ended.
class GuestRam {
 public:
  // `map` as in model/memory_map.h, of `files`.
  //
  // Errors: InvalidArgument for a bad map; FailedPrecondition for a file that
  //         is not sealed against shrinking or does not hold what the map says.
  static absl::StatusOr<GuestRam> Create(absl::string_view map,
                                         std::vector<UniqueFd> files);

  // One access of 8 bytes, which the guest sees whole or not at all.
  //
  // Errors: InvalidArgument for an address that is not a multiple of 8,
  //         OutOfRange for one that is no RAM, else the mapping of errno.
  absl::StatusOr<uint64_t> ReadU64(uint64_t guest_physical) const;
  absl::Status WriteU64(uint64_t guest_physical, uint64_t value);

 private:
  GuestRam(std::vector<MappedRam> ram, std::vector<UniqueFd> files)
      : ram_(std::move(ram)), files_(std::move(files)) {}

  // Calls `access` with the host's address of the 8 bytes.
  template <typename Access>
  absl::Status WithWord(uint64_t guest_physical, Access access) const;

  std::vector<MappedRam> ram_;
  std::vector<UniqueFd> files_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_GUEST_RAM_H_
