// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_ARTIFACT_CLIENT_H_
#define KTSTR_HOSTD_ARTIFACT_CLIENT_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hostd/artifact_cache.h"
#include "proto/artifact.grpc.pb.h"

namespace ktstr::hostd {

// Artifacts of the coordinator.
//
// Threads: any.
class ArtifactClient : public ArtifactSource {
 public:
  // No artifact takes longer than this to arrive.
  static constexpr absl::Duration kTimeout = absl::Minutes(10);

  explicit ArtifactClient(
      std::unique_ptr<ktstr::v1::Artifacts::StubInterface> stub)
      : stub_(std::move(stub)) {}

  absl::Status Fetch(const std::string& sha256, const Sink& sink) override;

  // Ends the calls in flight and refuses later ones with Cancelled.
  void Close();

 private:
  const std::unique_ptr<ktstr::v1::Artifacts::StubInterface> stub_;
  absl::Mutex mutex_;
  bool is_closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_ARTIFACT_CLIENT_H_
