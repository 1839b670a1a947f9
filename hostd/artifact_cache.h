// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_ARTIFACT_CACHE_H_
#define KTSTR_HOSTD_ARTIFACT_CACHE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/unique_fd.h"

namespace ktstr::hostd {

// Where missing artifacts come from.
class ArtifactSource {
 public:
  using Sink = std::function<absl::Status(absl::string_view)>;
  virtual ~ArtifactSource() = default;

  // Hands the content to `sink` in pieces, in order; stops at the first error
  // of the sink and returns it.
  //
  // Errors: NotFound when the source does not hold it.
  virtual absl::Status Fetch(const std::string& sha256, const Sink& sink) = 0;
};

// A cached artifact, open for reading. While it lives the file is not evicted.
class HeldArtifact {
 public:
  HeldArtifact() = default;
  HeldArtifact(UniqueFd fd, int64_t size_bytes)
      : fd_(std::move(fd)), size_bytes_(size_bytes) {}

  int fd() const { return fd_.get(); }
  int64_t size_bytes() const { return size_bytes_; }
  // Opens the same file; valid while this object lives.
  std::string path() const;

 private:
  UniqueFd fd_;  // carries a shared lock
  int64_t size_bytes_ = 0;
};

// Artifacts on this host's disk, each in a file named by its SHA-256.
//
// Shape:   <dir>/<sha256>, complete and verified from its first moment on;
//          <dir>/.partial-XXXXXX while it is fetched (locked by the fetcher).
// Threads: any; two that want the same missing artifact fetch it once.
//          Several hostd processes may share the directory.
// Blocks:  Get, while it or another thread fetches.
class ArtifactCache {
 public:
  struct Options {
    std::string dir;
    // Least recently used files go when the sum exceeds this. Files in use do
    // not, so the sum may exceed it.
    int64_t max_bytes = int64_t{20} << 30;
  };

  // Makes the directory and removes what dead fetchers left. `source` outlives
  // the cache.
  static absl::StatusOr<std::unique_ptr<ArtifactCache>> Open(
      Options options, ArtifactSource* source);

  // The artifact of that name, fetched when missing. `size_bytes` is what the
  // lease announced; 0 means unknown.
  //
  // Errors:
  //   InvalidArgument    no SHA-256 name or a negative size.
  //   DataLoss           what came has another hash or size; nothing is kept.
  //   ResourceExhausted  the disk is full.
  //   and the source's.
  absl::StatusOr<HeldArtifact> Get(const std::string& sha256,
                                   int64_t size_bytes);

 private:
  ArtifactCache(Options options, ArtifactSource* source)
      : options_(std::move(options)), source_(source) {}

  absl::StatusOr<HeldArtifact> OpenCached(const std::string& sha256);
  absl::Status Fetch(const std::string& sha256, int64_t size_bytes);
  void Evict();

  const Options options_;
  ArtifactSource* const source_;

  Mutex mutex_;
  // Being fetched or checked by some thread.
  absl::flat_hash_set<std::string> busy_ ABSL_GUARDED_BY(mutex_);
  // Verified since this process started.
  absl::flat_hash_set<std::string> verified_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_ARTIFACT_CACHE_H_
