// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_CACHE_H_
#define KTSTR_KERNEL_CACHE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "kernel/spec.h"

namespace ktstr::kernel {

// What is known about a cached kernel; the content of metadata.json.
struct KernelMetadata {
  std::string version;         // "6.12.117"
  std::string source;          // "tarball"
  std::string source_package;  // "linux-source-6.12 6.12.117-1"
  std::string arch;            // "x86_64"
  std::string toolchain;       // "gcc 12"
  std::string config_hash;     // hash of the final .config, 8 digits
  std::string fragments_hash;  // kconfig::FragmentsHash()
  absl::Time built_at;
  absl::Duration build_time;
  int64_t objects = 0;       // lines of compile output, the next estimate
  uint64_t image_bytes = 0;  // size of vmlinux; a shorter file is truncated
  std::string image_sha256;
};

// One kernel, ready to boot.
struct KernelEntry {
  std::string key;
  std::string dir;
  std::string vmlinux_path;             // ELF with symbols and BTF, no DWARF
  std::string config_path;              // the .config it was built with
  std::vector<std::string> schedulers;  // DIR/schedulers/scx_simple, ...
  KernelMetadata metadata;
};

// An entry directory, good or bad.
struct ListedKernel {
  enum class State {
    kUnspecified = 0,
    kValid,
    kStale,    // valid, built from other fragments than this program carries
    kCorrupt,  // unusable, see `problem`
  };
  State state = State::kUnspecified;
  std::string problem;  // "vmlinux is missing"; empty when valid
  KernelEntry entry;    // key and dir at least
};

// "valid", "stale", "corrupt".
absl::string_view StateName(ListedKernel::State state);

// An exclusive claim on one key, held across processes while the object lives
// (flock; the kernel drops it when the process dies).
class KeyLock {
 public:
  KeyLock() = default;

 private:
  friend class KernelCache;
  explicit KeyLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// The kernels of one user, on one machine.
//
// Shape:   ROOT/KEY/{vmlinux,config,metadata.json,schedulers/}; names starting
//          with a dot are ours: .locks/, .work-KEY-XXXXXX/ (being made),
//          .images/ (unpacked images that are no entry).
// Threads: any; every method takes what it needs from the file system.
// Errors:  file-system errors carry the path.
class KernelCache {
 public:
  // Opens `root`, made when missing; empty means CacheDir() + "/kernels".
  static absl::StatusOr<KernelCache> Open(const std::string& root = "");

  const std::string& root() const { return root_; }

  // The entry of exactly this key. NotFound when absent (naming the build
  // command); DataLoss when corrupt (naming what is wrong).
  absl::StatusOr<KernelEntry> Find(absl::string_view key) const;

  // The newest usable entry that `version` covers, entries with the fragments
  // of this program before others; NotFound otherwise.
  absl::StatusOr<KernelEntry> FindVersion(const KernelVersion& version) const;

  // Every entry, newest first, corrupt ones last.
  absl::StatusOr<std::vector<ListedKernel>> List() const;

  // Takes the key's lock.
  //
  // Blocks: with `wait`, until the holder ends; without, Unavailable at once,
  //         naming the holder's pid.
  absl::StatusOr<KeyLock> Lock(absl::string_view key, bool wait) const;

  // A private directory ROOT/.work-KEY-XXXXXX on the cache's file system. It is
  // the caller's to remove; Sweep() removes it once its process is dead.
  absl::StatusOr<std::string> MakeWorkDir(absl::string_view key) const;

  // Turns `staged` (made under MakeWorkDir, holding vmlinux, config and maybe
  // schedulers/) into the entry `key`: metadata is completed with the image's
  // size and hash, everything is synced, then one rename. An entry that exists
  // is replaced. After a failure the old entry, if any, is as before.
  absl::StatusOr<KernelEntry> Store(absl::string_view key,
                                    const std::string& staged,
                                    KernelMetadata metadata) const;

  // Removes the entry; missing is OK. Takes the key's lock without waiting.
  absl::Status Remove(absl::string_view key) const;

  // Removes work directories whose process is gone. Returns how many.
  absl::StatusOr<int> Sweep() const;

  // A bootable, stripped vmlinux of `image` (ELF or bzImage bytes), kept under
  // .images by content; the second call with the same bytes only looks it up.
  //
  // Errors: those of ExtractVmlinux() and StripDebug().
  absl::StatusOr<std::string> UnpackedImage(absl::string_view image) const;

 private:
  explicit KernelCache(std::string root) : root_(std::move(root)) {}
  ListedKernel Inspect(absl::string_view key) const;

  std::string root_;
};

// Whether `key` may name an entry: letters, digits, '.', '_', '+', '-', not
// starting with a dot, at most 200 characters.
bool IsCacheKey(absl::string_view key);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_CACHE_H_
