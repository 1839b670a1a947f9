// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_HANDLERS_ARTIFACTS_H_
#define KTSTR_COORDINATOR_HANDLERS_ARTIFACTS_H_

#include "coordinator/server/environment.h"
#include "proto/artifact.grpc.pb.h"

namespace ktstr::coordinator {

// Blobs in and out; the contract is proto/artifact.proto.
//
// Lifetime: the environment outlives the service.
// Threads:  any.
class ArtifactsService final : public v1::Artifacts::Service {
 public:
  explicit ArtifactsService(Environment* environment)
      : artifacts_(*environment->artifacts) {}

  grpc::Status FindMissing(grpc::ServerContext* context,
                           const v1::FindMissingRequest* request,
                           v1::FindMissingResponse* response) override;
  grpc::Status Upload(grpc::ServerContext* context,
                      grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override;
  grpc::Status Download(
      grpc::ServerContext* context, const v1::DownloadRequest* request,
      grpc::ServerWriter<v1::DownloadResponse>* writer) override;

 private:
  ArtifactStore& artifacts_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_HANDLERS_ARTIFACTS_H_
