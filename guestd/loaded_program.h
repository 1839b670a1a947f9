// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the kernel knows about BPF programs that it has accepted.
#ifndef KTSTR_GUESTD_LOADED_PROGRAM_H_
#define KTSTR_GUESTD_LOADED_PROGRAM_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/types/optional.h"
#include "proto/outcome.pb.h"

namespace ktstr::guestd {

struct LoadedProgram {
  uint32_t id = 0;
  uint32_t verified_insns = 0;
};

// The program behind descriptor `fd` of the process that thread `tid` belongs
// to. nullopt when it is none, or the kernel does not tell.
absl::optional<LoadedProgram> DescribeProgram(pid_t tid, int fd);

// False only when the kernel says that it has no program `id`.
bool ProgramExists(uint32_t id);

// The highest id of a program that exists; 0 when there is none.
uint32_t LastProgramId();

// Programs with ids above `id`, as the kernel tells of them: name, type,
// verified instructions. At most 1,024. `missing` says when it does not tell.
v1::BpfPrograms ProgramsSince(uint32_t id);

// "struct_ops", "socket_filter", ... (BPF_PROG_TYPE_ of linux/bpf.h), "type 99"
// for one this program does not know.
std::string ProgramTypeName(uint32_t type);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_LOADED_PROGRAM_H_
