// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/handlers/artifacts.h"

#include <errno.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "coordinator/converters/grpc_status.h"

namespace ktstr::coordinator {
namespace {

constexpr int kMaxNames = 10000;
constexpr size_t kPieceBytes = 1 << 20;

absl::Status Receive(const ArtifactStore& artifacts,
                     grpc::ServerReader<v1::UploadRequest>& reader) {
  v1::UploadRequest piece;
  if (!reader.Read(&piece)) {
    return absl::InvalidArgumentError(
        "the upload is empty; its first message names sha256 and size_bytes");
  }
  ABSL_ASSIGN_OR_RETURN(
      ArtifactStore::Upload upload,
      artifacts.StartUpload(piece.sha256(), piece.size_bytes()));
  do {
    ABSL_RETURN_IF_ERROR(upload.Append(piece.data()));
  } while (reader.Read(&piece));
  return upload.Finish();
}

absl::Status Send(const ArtifactStore& artifacts, const std::string& sha256,
                  grpc::ServerWriter<v1::DownloadResponse>& writer) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd blob, artifacts.OpenBlob(sha256));
  std::string buffer(kPieceBytes, '\0');
  while (true) {
    ssize_t count = read(blob.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("read artifact ", sha256));
    }
    if (count == 0) return absl::OkStatus();
    v1::DownloadResponse response;
    response.set_data(buffer.data(), count);
    if (!writer.Write(response)) return absl::CancelledError("client gone");
  }
}

}  // namespace

grpc::Status ArtifactsService::FindMissing(
    grpc::ServerContext*, const v1::FindMissingRequest* request,
    v1::FindMissingResponse* response) {
  if (request->sha256_size() > kMaxNames) {
    return ToGrpcStatus(absl::InvalidArgumentError(absl::StrCat(
        request->sha256_size(), " names, accepted are at most ", kMaxNames)));
  }
  for (const std::string& sha256 : request->sha256()) {
    if (!IsSha256Hex(sha256)) {
      return ToGrpcStatus(absl::InvalidArgumentError(absl::StrCat(
          "\"", absl::CHexEscape(sha256.substr(0, 80)),
          "\" is no SHA-256, accepted are 64 lower-case hexadecimal digits")));
    }
    if (!artifacts_.Has(sha256)) response->add_sha256(sha256);
  }
  return grpc::Status::OK;
}

grpc::Status ArtifactsService::Upload(
    grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* reader,
    v1::UploadResponse*) {
  return ToGrpcStatus(Receive(artifacts_, *reader));
}

grpc::Status ArtifactsService::Download(
    grpc::ServerContext*, const v1::DownloadRequest* request,
    grpc::ServerWriter<v1::DownloadResponse>* writer) {
  return ToGrpcStatus(Send(artifacts_, request->sha256(), *writer));
}

}  // namespace ktstr::coordinator
