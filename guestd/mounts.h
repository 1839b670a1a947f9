// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_MOUNTS_H_
#define KTSTR_GUESTD_MOUNTS_H_

#include "absl/status/status.h"

namespace ktstr::guestd {

// Makes the bare root directory of an initramfs a place where programs run:
// proc, sysfs, devtmpfs, tmpfs on /tmp /run /dev/shm, cgroup2 with its
// controllers handed down, /dev/fd and friends, loopback up, PATH and HOME.
// debugfs, tracefs, bpffs and devpts are mounted where the kernel has them.
//
// Threads: before any other thread exists (it changes the environment).
// Errors:  the first mount that is needed and failed, by name.
absl::Status PrepareFilesystems();

// DataLoss when the sentinel is missing: the kernel could not unpack the whole
// initramfs, mostly for lack of memory.
absl::Status CheckInitramfsComplete();

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_MOUNTS_H_
