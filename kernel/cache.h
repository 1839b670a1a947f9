// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_CACHE_H_
#define KTSTR_KERNEL_CACHE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "kernel/key_lock.h"
#include "kernel/metadata.h"
#include "kernel/spec.h"

namespace ktstr::kernel {

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
  // The kind of problem, for programs: "missing", "unreadable", "malformed"
  // (metadata), "image_missing", "config_missing", "truncated" (image).
  std::string problem_kind;
  KernelEntry entry;  // key and dir at least
};

// "valid", "stale", "corrupt".
absl::string_view StateName(ListedKernel::State state);

// A private directory on the cache's file system, locked while the object
// lives, removed with its content by the destructor.
class WorkDir {
 public:
  WorkDir(WorkDir&& other) noexcept
      : path_(std::exchange(other.path_, "")), lock_(std::move(other.lock_)) {}
  WorkDir& operator=(WorkDir&&) = delete;
  ~WorkDir();

  const std::string& path() const { return path_; }

 private:
  friend class KernelCache;
  WorkDir(std::string path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
};

// The kernels of one user, on one machine.
//
// Shape:   ROOT/KEY/{vmlinux,bzImage,config,metadata.json,schedulers/}; bzImage
//          is for other loaders than ours. Names starting with a dot are
//          the cache's own: .locks/, .work-KEY-XXXXXX/ (being made), .images/
//          (unpacked images that are no entry), .trees/ (copies of people's
//          source trees, with their objects), .downloads/ (code on its way).
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

  // The newest usable entry of a release that `version` covers, entries with
  // the fragments of this program before others; NotFound otherwise. With
  // `package` ("linux-source-6.12") only of those built from it.
  absl::StatusOr<KernelEntry> FindVersion(const KernelVersion& version,
                                          absl::string_view package = "") const;

  // Every entry, newest first, corrupt ones last.
  absl::StatusOr<std::vector<ListedKernel>> List() const;

  // Takes the key's lock (`key_lock.h`).
  //
  // Errors: Unavailable when another process holds it, naming its pid.
  absl::StatusOr<KeyLock> TryLock(absl::string_view key) const;

  // The same, waiting for the holder.
  //
  // Blocks: until the holder ends or `cancel_fd` (-1: none) becomes readable,
  //         which is Cancelled.
  absl::StatusOr<KeyLock> Lock(absl::string_view key, int cancel_fd) const;

  // A fresh ROOT/.work-KEY-XXXXXX.
  absl::StatusOr<WorkDir> MakeWorkDir(absl::string_view key) const;

  // Where a source tree's copy is kept between builds under `name`, a key;
  // maybe not there yet. Whoever works in it holds the lock of "tree-NAME".
  std::string KeptTree(absl::string_view name) const;
  // The names of those that are there, sorted.
  std::vector<std::string> KeptTrees() const;
  // Removes one. Takes its lock without waiting.
  absl::Status RemoveKeptTree(absl::string_view name) const;

  // Where code that is got from elsewhere lies until it is built; maybe not
  // there yet. Whoever works on it holds the lock of "download-NAME".
  std::string DownloadPath(absl::string_view name) const;

  // Turns `staged` (a directory inside a WorkDir, holding vmlinux, bzImage,
  // config and maybe schedulers/) into the entry `key`: metadata is completed
  // with the image's size and hash, everything is synced, then one rename. An
  // entry that exists is replaced. After a failure the old entry, if any, is as
  // before.
  absl::StatusOr<KernelEntry> Store(absl::string_view key,
                                    const std::string& staged,
                                    KernelMetadata metadata) const;

  // Removes the entry; missing is OK. Takes the key's lock without waiting.
  absl::Status Remove(absl::string_view key) const;

  // Removes work directories whose owner is gone, and downloads that nobody
  // went on with for a week. Returns how many work directories.
  absl::StatusOr<int> Sweep() const;

  // A bootable, stripped vmlinux of `image` (ELF or bzImage bytes), kept under
  // .images by content; the second call with the same bytes only looks it up.
  //
  // Errors: those of ExtractVmlinux() and StripDebug().
  absl::StatusOr<std::string> UnpackedImage(absl::string_view image) const;

  // The ELF file inside `module`, a compressed kernel module; kept as above.
  //
  // Errors: those of Decompress(); InvalidArgument for something else inside.
  absl::StatusOr<std::string> UnpackedModule(absl::string_view module) const;

 private:
  explicit KernelCache(std::string root) : root_(std::move(root)) {}
  ListedKernel Inspect(absl::string_view key) const;
  void SweepDownloads() const;

  std::string root_;
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_CACHE_H_
