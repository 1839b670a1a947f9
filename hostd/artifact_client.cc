// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/artifact_client.h"

#include <chrono>

#include "absl/cleanup/cleanup.h"
#include "hostd/text.h"

namespace ktstr::hostd {

absl::Status ArtifactClient::Fetch(const std::string& sha256,
                                   const Sink& sink) {
  grpc::ClientContext context;
  // A coordinator that restarts is waited for.
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoSeconds(kTimeout));
  {
    absl::MutexLock lock(&mutex_);
    if (is_closed_) return absl::CancelledError("hostd is going away");
    calls_.insert(&context);
  }
  absl::Cleanup remover = [&] {
    absl::MutexLock lock(&mutex_);
    calls_.erase(&context);
  };
  ktstr::v1::DownloadRequest request;
  request.set_sha256(sha256);
  auto reader = stub_->Download(&context, request);
  ktstr::v1::DownloadResponse response;
  absl::Status sink_status;
  while (sink_status.ok() && reader->Read(&response)) {
    sink_status = sink(response.data());
  }
  if (!sink_status.ok()) context.TryCancel();
  grpc::Status status = reader->Finish();
  if (!sink_status.ok()) return sink_status;
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      PrintableText(status.error_message()));
}

void ArtifactClient::Close() {
  absl::MutexLock lock(&mutex_);
  is_closed_ = true;
  for (grpc::ClientContext* call : calls_) call->TryCancel();
}

}  // namespace ktstr::hostd
