// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ISOLATION_H_
#define KTSTR_VMM_ISOLATION_H_

#include <cstdint>

#include "absl/status/status.h"

namespace ktstr::vmm {

// What this process gives up of the host beside system calls (sandbox.h), for
// the case that a guest takes it over.

// Private memory that a machine may still take once it is set up. Its guest's
// RAM is shared memory and not counted; the rest peaks at a few MiB.
inline constexpr uint64_t kMostGrowthBytes = uint64_t{64} << 20;
// Descriptors: a CPU each, a socket each of 512 streams, and what a machine is
// made of.
inline constexpr uint64_t kMostDescriptors = 4096;

// Moves the calling process into mount, network, IPC, UTS and cgroup namespaces
// of its own; into a user namespace, too, where nothing else is allowed and
// `keeps_privileges` is false. Whether it is there: hosts may forbid all of it.
// Sockets of its owner are reached by their paths, as before.
//
// REQUIRES: one thread.
bool EnterNamespaces(bool keeps_privileges);

// From now on: no core file, at most kMostDescriptors, at most kMostGrowthBytes
// of private memory more than now (not under a sanitizer, which has its own).
//
// Errors: the mapping of errno, with the limit.
absl::Status LimitResources();

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ISOLATION_H_
