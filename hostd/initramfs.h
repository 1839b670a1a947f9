// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the guest finds in its root directory: two cpio archives, unpacked one
// after the other by the kernel.
//
//   base  guestd as /init and the first device nodes; the same for every
//         attempt, kept in a cache under the digest of its content
//   tail  suite, scheduler, libraries, modules of one variant, and as its last
//         entry the sentinel by which guestd knows that nothing was cut off
#ifndef KTSTR_HOSTD_INITRAMFS_H_
#define KTSTR_HOSTD_INITRAMFS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::hostd {

// Writes one cpio archive ("newc", uncompressed) front to back.
//
// Shape:   header of 110 ASCII bytes, name with its zero, padding to 4, then
//          content, padding to 4; after the trailer zeros up to a multiple of
//          4096, so that the archive can be mapped and another may follow.
// Trust:   paths and sizes may come from a peer; a refused entry leaves the
//          archive as it was.
// Source:  Documentation/driver-api/early-userspace/buffer-format.rst;
//          init/initramfs.c skips zeros between archives and stores nothing
//          whose parent directory is missing.
class CpioWriter {
 public:
  // Appends to `fd` (borrowed) from its current offset, which the archive takes
  // as its start.
  explicit CpioWriter(int fd) : fd_(fd) {}

  // Paths are absolute in the guest, at most 1,024 bytes, without empty, "." or
  // ".." components. Missing parent directories are added (mode 0755).
  //
  // Errors of all Add functions:
  //   InvalidArgument     the path breaks these rules; the message quotes it.
  //   AlreadyExists       the path was added before, as something else than a
  //                       directory.
  //   FailedPrecondition  a parent was added as a file, or after Finish().
  //   errno's mapping     the archive cannot be written; it is unusable then.
  absl::Status AddDirectory(const std::string& path, mode_t mode = 0755);
  absl::Status AddFile(const std::string& path, absl::string_view bytes,
                       mode_t mode = 0644);
  // The regular file behind `source_fd`, streamed from its start. DataLoss when
  // it shrinks meanwhile, InvalidArgument from 4 GiB.
  absl::Status AddFileFrom(const std::string& path, int source_fd,
                           mode_t mode = 0644);
  absl::Status AddFileFromPath(const std::string& path,
                               const std::string& source, mode_t mode = 0644);
  absl::Status AddSymlink(const std::string& path, const std::string& target);
  absl::Status AddCharDevice(const std::string& path, unsigned major,
                             unsigned minor, mode_t mode = 0600);

  // Writes trailer and padding.
  absl::Status Finish();

  // Bytes written.
  uint64_t size_bytes() const { return offset_; }

 private:
  enum class Kind { kDirectory, kOther };
  struct Header {
    uint32_t mode = 0;  // type bits and permissions
    uint64_t size_bytes = 0;
    unsigned major = 0;
    unsigned minor = 0;
  };

  absl::Status Admit(const std::string& path, Kind kind);
  absl::Status AddParents(const std::string& path);
  absl::Status WriteHeader(absl::string_view name, const Header& header);
  absl::Status WriteEntry(const std::string& path, const Header& header,
                          absl::string_view content);
  absl::Status Write(absl::string_view bytes);
  absl::Status PadTo(uint64_t alignment);
  absl::Status CopyFrom(int source_fd, uint64_t size_bytes);

  const int fd_;
  uint64_t offset_ = 0;
  uint32_t inode_ = 0;
  bool is_finished_ = false;
  std::map<std::string, Kind> entries_;
};

// A file of this host and where the guest shall find it.
struct InitramfsFile {
  std::string host_path;
  std::string guest_path;
  bool is_executable = false;
};

// What one variant adds to the base.
struct InitramfsTail {
  std::string suite;      // host path; empty: none; goes to kGuestSuitePath
  std::string scheduler;  // empty: none; goes to kGuestSchedulerPath
  // Shared libraries and other files, at their own paths; the same file named
  // twice is stored once.
  std::vector<InitramfsFile> files;
  // Uncompressed kernel modules, in loading order, for kGuestModuleDir.
  std::vector<InitramfsFile> modules;
};

// Errors: InvalidArgument for a path that is not absolute and plain, or that
//         would replace what belongs to guestd (/init, /ktstr, /dev, /proc,
//         /sys).
absl::Status CheckGuestFilePath(const std::string& guest_path);

// Writes the tail archive to `fd`.
//
// Errors: as CheckGuestFilePath; AlreadyExists when two different files want
//         one path; NotFound and the like for host files.
absl::Status WriteInitramfsTail(const InitramfsTail& tail, int fd);

// Path of the base archive around `guestd`, built on first use in `cache_dir`
// and found there by the digest of guestd afterwards. Two processes may race:
// both get a whole file.
absl::StatusOr<std::string> BaseInitramfs(const std::string& guestd,
                                          const std::string& cache_dir);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_INITRAMFS_H_
