// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/mounts.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "model/guest_layout.h"

namespace ktstr::guestd {
namespace {

struct Mount {
  const char* type;
  const char* target;
  unsigned long flags;
  const char* options;
  bool is_needed;
};

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;

// In an order in which every target exists or can be made.
constexpr Mount kMounts[] = {
    {"proc", "/proc", kPlain, "", true},
    {"sysfs", "/sys", kPlain, "", true},
    {"devtmpfs", "/dev", MS_NOSUID, "mode=0755", true},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", true},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666", false},
    {"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777", true},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755", true},
    {"cgroup2", "/sys/fs/cgroup", kPlain, "", true},
    {"debugfs", "/sys/kernel/debug", kPlain, "", false},
    {"tracefs", "/sys/kernel/tracing", kPlain, "", false},
    {"bpf", "/sys/fs/bpf", kPlain, "mode=0700", false},
};

absl::Status MountOne(const Mount& mount_entry) {
  // Below sysfs the kernel makes the directories itself.
  mkdir(mount_entry.target, 0755);
  if (mount(mount_entry.type, mount_entry.target, mount_entry.type,
            mount_entry.flags, mount_entry.options) == 0 ||
      errno == EBUSY || !mount_entry.is_needed) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("mount ", mount_entry.type,
                                                 " on ", mount_entry.target));
}

void LinkStandardStreams() {
  // devtmpfs has none of these; a failure shows where they are used.
  (void)!symlink("/proc/self/fd", "/dev/fd");
  (void)!symlink("/proc/self/fd/0", "/dev/stdin");
  (void)!symlink("/proc/self/fd/1", "/dev/stdout");
  (void)!symlink("/proc/self/fd/2", "/dev/stderr");
}

void BringLoopbackUp() {
  UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  if (!fd || ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) return;
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  ioctl(fd.get(), SIOCSIFFLAGS, &request);
}

// In one write, because each takes a grace period. A kernel without one of the
// controllers refuses that and still hands down the others.
void HandDownControllers() {
  constexpr char kControl[] = "/sys/fs/cgroup/cgroup.subtree_control";
  if (WriteExisting(kControl, "+cpuset +cpu +memory +pids").ok()) return;
  for (const char* controller : {"+cpuset", "+cpu", "+memory", "+pids"}) {
    WriteExisting(kControl, controller).IgnoreError();
  }
}

}  // namespace

absl::Status PrepareFilesystems() {
  for (const Mount& entry : kMounts) ABSL_RETURN_IF_ERROR(MountOne(entry));
  LinkStandardStreams();
  BringLoopbackUp();
  HandDownControllers();
  setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
         1);
  mkdir("/root", 0700);
  setenv("HOME", "/root", 1);
  return absl::OkStatus();
}

absl::Status CheckInitramfsComplete() {
  if (FileExists(kGuestSentinelPath)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "the initramfs is cut off: ", kGuestSentinelPath,
      " is missing; the guest most likely has too little memory for it"));
}

}  // namespace ktstr::guestd
