// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_NUMA_TEXT_H_
#define KTSTR_KTSTR_INTERNAL_NUMA_TEXT_H_

#include <cstdint>
#include <map>
#include <optional>

#include "absl/strings/string_view.h"

namespace ktstr::internal {

// Pages by node, summed over the mappings of a /proc/<pid>/numa_maps: lines
// whose address is no hexadecimal number or that have no N<node>=<pages> are
// left out. Source: fs/proc/task_mmu.c.
std::map<int, uint64_t> ParseNumaMaps(absl::string_view text);

// The first "numa_pages_migrated" line of /proc/vmstat with a number; absent
// where the kernel has no NUMA balancing. Pages, of the whole system since
// boot.
std::optional<uint64_t> ParsePagesMigrated(absl::string_view text);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_NUMA_TEXT_H_
