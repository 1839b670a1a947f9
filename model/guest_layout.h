// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What hostd packs and guestd finds: the one place where the guest's paths,
// ports and kernel command line keys are written down.
#ifndef KTSTR_MODEL_GUEST_LAYOUT_H_
#define KTSTR_MODEL_GUEST_LAYOUT_H_

#include <cstdint>

namespace ktstr {

inline constexpr char kGuestSuitePath[] = "/ktstr/suite";
inline constexpr char kGuestSchedulerPath[] = "/ktstr/scheduler";

// What a shell runs in, and where the files lie that a person sent along.
inline constexpr char kGuestBusyboxPath[] = "/bin/busybox";
inline constexpr char kGuestIncludeDir[] = "/include-files";

// Last entry of the last initramfs archive; absent when the kernel could not
// unpack everything.
inline constexpr char kGuestSentinelPath[] = "/ktstr/.initramfs-complete";

// Kernel modules to load, and a text file with their absolute paths, one a
// line, in loading order.
inline constexpr char kGuestModuleDir[] = "/ktstr/modules";
inline constexpr int kMaxGuestModules = 64;
inline constexpr char kGuestModuleOrderPath[] = "/ktstr/modules/order";

// Parent of every cgroup a test makes; guestd empties and removes it.
inline constexpr char kGuestCgroupRoot[] = "/sys/fs/cgroup/ktstr";

// vsock ports: guestd calls the host's, serves gRPC on the guest's.
inline constexpr uint32_t kHostHelloPort = 1024;
inline constexpr uint32_t kGuestServicePort = 1025;

// Longest Hello, in bytes.
inline constexpr uint32_t kMaxHelloBytes = 65536;

// What guestd writes into the kernel's log when it sends its hello.
inline constexpr char kKernelLogMark[] = "ktstr: hello";

// Kernel command line: ktstr.epoch=N ktstr.nonce=HEX.
inline constexpr char kCmdlineEpoch[] = "ktstr.epoch";
inline constexpr char kCmdlineNonce[] = "ktstr.nonce";

}  // namespace ktstr

#endif  // KTSTR_MODEL_GUEST_LAYOUT_H_
