// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_ARTIFACTS_ARTIFACT_STORE_H_
#define KTSTR_COORDINATOR_ARTIFACTS_ARTIFACT_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace ktstr::coordinator {

// Immutable blobs on disk, named by the SHA-256 of their content.
//
// Shape:   DIR/blobs/ab/abcdef...: a file is there only whole and verified.
//          DIR/incoming/: uploads in progress, emptied at start.
// Trust:   names and bytes come from clients; a name is checked before it
//          becomes a path.
// Threads: any; two uploads of one blob both succeed.
class ArtifactStore {
 public:
  // Largest blob accepted unless told otherwise.
  static constexpr int64_t kDefaultMaxBytes = int64_t{2} << 30;

  // Creates the directories, removes leftovers of uploads.
  static absl::StatusOr<std::unique_ptr<ArtifactStore>> Open(
      std::string dir, int64_t max_bytes = kDefaultMaxBytes);

  // False for a malformed name as well.
  bool Has(absl::string_view sha256) const;

  // Size of a held blob; NotFound.
  absl::StatusOr<int64_t> SizeOf(absl::string_view sha256) const;

  // Opened for reading; NotFound when not held, InvalidArgument for a malformed
  // name.
  absl::StatusOr<UniqueFd> OpenBlob(absl::string_view sha256) const;

  // One blob being received. Leaves nothing behind unless finished.
  class Upload {
   public:
    Upload(Upload&& other) noexcept;
    ~Upload();

    // InvalidArgument   more bytes than announced.
    // ResourceExhausted the disk is full.
    absl::Status Append(absl::string_view bytes);

    // Verifies, makes durable, publishes.
    //
    // DataLoss  size or hash differ from what was announced.
    absl::Status Finish();

   private:
    friend class ArtifactStore;
    struct Hasher;
    Upload(const ArtifactStore* store, std::string sha256, int64_t size_bytes,
           std::string path, UniqueFd fd);

    const ArtifactStore* store_;
    std::string sha256_;
    int64_t size_bytes_;
    int64_t received_bytes_ = 0;
    std::string path_;
    UniqueFd fd_;
    std::unique_ptr<Hasher> hasher_;
  };

  // InvalidArgument  the name is no SHA-256, the size negative or above the
  //                  limit.
  absl::StatusOr<Upload> StartUpload(absl::string_view sha256,
                                     int64_t size_bytes) const;

 private:
  ArtifactStore(std::string dir, int64_t max_bytes)
      : dir_(std::move(dir)), max_bytes_(max_bytes) {}

  std::string PathOf(absl::string_view sha256) const;

  const std::string dir_;
  const int64_t max_bytes_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_ARTIFACTS_ARTIFACT_STORE_H_
