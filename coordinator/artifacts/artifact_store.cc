// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/artifacts/artifact_store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"

namespace ktstr::coordinator {
namespace {

absl::Status DiskError(const std::string& what) {
  if (errno == ENOSPC || errno == EDQUOT) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": the coordinator's disk is full"));
  }
  return absl::ErrnoToStatus(errno, what);
}

absl::Status SyncDir(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd dir, OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (fsync(dir.get()) != 0) return DiskError(absl::StrCat("sync ", path));
  return absl::OkStatus();
}

absl::Status Malformed(absl::string_view name) {
  return absl::InvalidArgumentError(
      absl::StrCat("artifact name \"", absl::CHexEscape(name.substr(0, 80)),
                   "\" is no SHA-256, accepted are 64 lower-case hexadecimal "
                   "digits"));
}

}  // namespace

struct ArtifactStore::Upload::Hasher {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  Hasher() : context(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  }
  std::string Finish() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context.get(), digest, &size);
    std::string bytes(digest, digest + size);
    return absl::BytesToHexString(bytes);
  }

  std::unique_ptr<EVP_MD_CTX, Free> context;
};

absl::StatusOr<std::unique_ptr<ArtifactStore>> ArtifactStore::Open(
    std::string dir, int64_t max_bytes) {
  const std::string incoming = JoinPath(dir, "incoming");
  ABSL_RETURN_IF_ERROR(RemoveTree(incoming));
  ABSL_RETURN_IF_ERROR(MakeDirs(incoming));
  ABSL_RETURN_IF_ERROR(MakeDirs(JoinPath(dir, "blobs")));
  return std::unique_ptr<ArtifactStore>(
      new ArtifactStore(std::move(dir), max_bytes));
}

std::string ArtifactStore::PathOf(absl::string_view sha256) const {
  return absl::StrCat(dir_, "/blobs/", sha256.substr(0, 2), "/", sha256);
}

bool ArtifactStore::Has(absl::string_view sha256) const {
  return IsSha256Hex(sha256) && FileExists(PathOf(sha256));
}

absl::StatusOr<int64_t> ArtifactStore::SizeOf(absl::string_view sha256) const {
  struct stat info;
  if (!IsSha256Hex(sha256)) return Malformed(sha256);
  if (stat(PathOf(sha256).c_str(), &info) != 0) {
    return absl::NotFoundError(absl::StrCat("no artifact ", sha256));
  }
  return info.st_size;
}

absl::StatusOr<UniqueFd> ArtifactStore::OpenBlob(
    absl::string_view sha256) const {
  if (!IsSha256Hex(sha256)) return Malformed(sha256);
  absl::StatusOr<UniqueFd> fd = OpenFile(PathOf(sha256), O_RDONLY);
  if (absl::IsNotFound(fd.status())) {
    return absl::NotFoundError(absl::StrCat("no artifact ", sha256));
  }
  return fd;
}

absl::StatusOr<ArtifactStore::Upload> ArtifactStore::StartUpload(
    absl::string_view sha256, int64_t size_bytes) const {
  if (!IsSha256Hex(sha256)) return Malformed(sha256);
  if (size_bytes < 0 || size_bytes > max_bytes_) {
    return absl::InvalidArgumentError(
        absl::StrCat("artifact ", sha256, " has ", size_bytes,
                     " bytes, accepted are 0 to ", max_bytes_));
  }
  std::string path = JoinPath(dir_, "incoming/upload-XXXXXX");
  UniqueFd fd(mkostemp(path.data(), O_CLOEXEC));
  if (!fd) return DiskError(absl::StrCat("create ", path));
  return Upload(this, std::string(sha256), size_bytes, std::move(path),
                std::move(fd));
}

ArtifactStore::Upload::Upload(const ArtifactStore* store, std::string sha256,
                              int64_t size_bytes, std::string path, UniqueFd fd)
    : store_(store),
      sha256_(std::move(sha256)),
      size_bytes_(size_bytes),
      path_(std::move(path)),
      fd_(std::move(fd)),
      hasher_(std::make_unique<Hasher>()) {}

ArtifactStore::Upload::Upload(Upload&& other) noexcept = default;

ArtifactStore::Upload::~Upload() {
  if (fd_) unlink(path_.c_str());
}

absl::Status ArtifactStore::Upload::Append(absl::string_view bytes) {
  received_bytes_ += bytes.size();
  if (received_bytes_ > size_bytes_) {
    return absl::InvalidArgumentError(
        absl::StrCat("artifact ", sha256_, ": more than the ", size_bytes_,
                     " bytes announced"));
  }
  EVP_DigestUpdate(hasher_->context.get(), bytes.data(), bytes.size());
  while (!bytes.empty()) {
    ssize_t count = write(fd_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return DiskError(absl::StrCat("write artifact ", sha256_));
    bytes.remove_prefix(count);
  }
  return absl::OkStatus();
}

absl::Status ArtifactStore::Upload::Finish() {
  if (received_bytes_ != size_bytes_) {
    return absl::DataLossError(absl::StrCat(
        "artifact ", sha256_, ": ", received_bytes_, " bytes came, announced ",
        size_bytes_, "; send it again"));
  }
  if (std::string found = hasher_->Finish(); found != sha256_) {
    return absl::DataLossError(absl::StrCat("artifact ", sha256_,
                                            ": the content has SHA-256 ", found,
                                            "; send it again"));
  }
  const std::string path = store_->PathOf(sha256_);
  const std::string dir(Dirname(path));
  ABSL_RETURN_IF_ERROR(MakeDirs(dir));
  if (fchmod(fd_.get(), 0444) != 0 || fsync(fd_.get()) != 0) {
    return DiskError(absl::StrCat("sync artifact ", sha256_));
  }
  if (rename(path_.c_str(), path.c_str()) != 0) {
    return DiskError(absl::StrCat("publish artifact ", sha256_));
  }
  fd_.Reset();
  return SyncDir(dir);
}

}  // namespace ktstr::coordinator
