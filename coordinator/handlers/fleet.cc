// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/handlers/fleet.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "coordinator/converters/grpc_status.h"
#include "coordinator/converters/submission.h"
#include "gauntlet/expand.h"

namespace ktstr::coordinator {
namespace {

constexpr size_t kMaxRequestId = 64;
constexpr int kDefaultAttempts = 3;
// Variants of one WatchRun message: with whole logs and dumps of all of them it
// stays below 16 MiB.
constexpr size_t kVariantsPerMessage = 4;
constexpr absl::Duration kWatchSilence = absl::Seconds(5);

absl::Status CheckRequestId(absl::string_view id) {
  if (!id.empty() && id.size() <= kMaxRequestId) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("request_id has ", id.size(),
                   " characters, accepted are 1 to ", kMaxRequestId));
}

absl::Status CheckArtifactsHeld(const ArtifactStore& store,
                                const v1::SubmitRequest& request) {
  for (const v1::ArtifactRef& ref : ArtifactsOf(request)) {
    absl::StatusOr<int64_t> size = store.SizeOf(ref.sha256());
    if (absl::IsNotFound(size.status())) {
      return absl::FailedPreconditionError(
          absl::StrCat("artifact \"", ref.name(), "\" (", ref.sha256(),
                       ") is missing; upload it first"));
    }
    ABSL_RETURN_IF_ERROR(size.status());
    if (*size != ref.size_bytes()) {
      return absl::InvalidArgumentError(
          absl::StrCat("artifact \"", ref.name(), "\" has ", *size,
                       " bytes, the request says ", ref.size_bytes()));
    }
  }
  return absl::OkStatus();
}

std::string MakeRunId(Environment& environment) {
  return absl::StrCat(
      absl::FormatTime("%Y%m%d-%H%M%S-", environment.clock->Now(),
                       absl::UTCTimeZone()),
      absl::StrFormat("%08x", environment.random->Next() & 0xffffffff));
}

absl::StatusOr<v1::SubmitResponse> SubmitRun(Environment& environment,
                                             v1::SubmitRequest request) {
  ABSL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  absl::StatusOr<v1::SubmitResponse> known =
      environment.fleet->FindRequest(request.request_id());
  if (known.ok()) return known;
  while (request.seed() == 0) request.set_seed(environment.random->Next());
  ABSL_ASSIGN_OR_RETURN(gauntlet::Request to_expand,
                        ToGauntletRequest(request));
  ABSL_ASSIGN_OR_RETURN(gauntlet::Expansion expansion,
                        gauntlet::Expand(to_expand));
  ABSL_ASSIGN_OR_RETURN(std::vector<VariantDraft> drafts,
                        ToDrafts(request, expansion));
  ABSL_RETURN_IF_ERROR(CheckArtifactsHeld(*environment.artifacts, request));
  RunRecord run = {.run_id = MakeRunId(environment),
                   .request_id = request.request_id(),
                   .created_at = environment.clock->Now(),
                   .seed = request.seed(),
                   .max_attempts = request.max_attempts() == 0
                                       ? kDefaultAttempts
                                       : request.max_attempts(),
                   .project_commit = request.project_commit()};
  for (gauntlet::Exclusion& from : expansion.excluded) {
    v1::Exclusion& exclusion = run.excluded.emplace_back();
    exclusion.set_variant(std::move(from.variant));
    exclusion.set_reason(std::move(from.reason));
  }
  return environment.fleet->CreateRun(std::move(run), drafts);
}

// Adds specifications and results, which only the store holds.
absl::Status FillDetails(Environment& environment, const std::string& run_id,
                         std::vector<v1::Variant>& variants) {
  std::vector<int64_t> indices;
  for (const v1::Variant& variant : variants) {
    indices.push_back(variant.index());
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<VariantDetails> details,
                        environment.store->ReadVariants(run_id, indices));
  for (size_t i = 0; i < variants.size(); ++i) {
    v1::Variant& variant = variants[i];
    *variant.mutable_spec() = std::move(details[i].spec);
    if (variant.state() != v1::DONE) continue;
    if (details[i].result.has_value()) {
      *variant.mutable_result() = *std::move(details[i].result);
    } else {
      variant.mutable_result()->set_reason(
          "the run was cancelled before this variant started");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadWholeRun(Environment& environment, const std::string& run_id,
                          v1::GetRunResponse& response) {
  ABSL_ASSIGN_OR_RETURN(RunView view,
                        environment.fleet->View(run_id, 0, SIZE_MAX));
  ABSL_ASSIGN_OR_RETURN(std::vector<v1::Exclusion> excluded,
                        environment.fleet->Exclusions(run_id));
  std::sort(view.changed.begin(), view.changed.end(),
            [](const v1::Variant& a, const v1::Variant& b) {
              return a.index() < b.index();
            });
  ABSL_RETURN_IF_ERROR(FillDetails(environment, run_id, view.changed));
  *response.mutable_run() = std::move(view.run);
  response.mutable_run()->mutable_excluded()->Assign(excluded.begin(),
                                                     excluded.end());
  response.mutable_variants()->Assign(view.changed.begin(), view.changed.end());
  return absl::OkStatus();
}

absl::Status Watch(Environment& environment, const v1::WatchRunRequest& request,
                   grpc::ServerWriter<v1::WatchRunResponse>& writer) {
  const std::string& run_id = request.run_id();
  ABSL_ASSIGN_OR_RETURN(std::vector<v1::Exclusion> excluded,
                        environment.fleet->Exclusions(run_id));
  int64_t version = request.after_version();
  ABSL_ASSIGN_OR_RETURN(
      RunView view,
      environment.fleet->View(run_id, version, kVariantsPerMessage));
  for (bool is_first = true;; is_first = false) {
    ABSL_RETURN_IF_ERROR(FillDetails(environment, run_id, view.changed));
    version = view.version;
    const bool is_last = view.run.is_finished() && !view.has_more;
    v1::WatchRunResponse response;
    *response.mutable_run() = std::move(view.run);
    if (is_first) {
      response.mutable_run()->mutable_excluded()->Assign(excluded.begin(),
                                                         excluded.end());
    }
    response.mutable_changed()->Assign(view.changed.begin(),
                                       view.changed.end());
    response.set_version(version);
    if (!writer.Write(response)) return absl::CancelledError("client gone");
    if (is_last) return absl::OkStatus();
    ABSL_ASSIGN_OR_RETURN(
        view, environment.fleet->AwaitChange(
                  run_id, version, kVariantsPerMessage, kWatchSilence));
  }
}

}  // namespace

grpc::Status FleetService::Submit(grpc::ServerContext*,
                                  const v1::SubmitRequest* request,
                                  v1::SubmitResponse* response) {
  absl::StatusOr<v1::SubmitResponse> run = SubmitRun(environment_, *request);
  if (run.ok()) *response = *std::move(run);
  return ToGrpcStatus(run.status());
}

grpc::Status FleetService::GetRun(grpc::ServerContext*,
                                  const v1::GetRunRequest* request,
                                  v1::GetRunResponse* response) {
  return ToGrpcStatus(ReadWholeRun(environment_, request->run_id(), *response));
}

grpc::Status FleetService::WatchRun(
    grpc::ServerContext*, const v1::WatchRunRequest* request,
    grpc::ServerWriter<v1::WatchRunResponse>* writer) {
  return ToGrpcStatus(Watch(environment_, *request, *writer));
}

grpc::Status FleetService::CancelRun(grpc::ServerContext*,
                                     const v1::CancelRunRequest* request,
                                     v1::CancelRunResponse*) {
  return ToGrpcStatus(environment_.fleet->CancelRun(request->run_id()));
}

grpc::Status FleetService::ListHosts(grpc::ServerContext*,
                                     const v1::ListHostsRequest*,
                                     v1::ListHostsResponse* response) {
  for (v1::Host& host : environment_.fleet->Hosts()) {
    *response->add_hosts() = std::move(host);
  }
  return grpc::Status::OK;
}

}  // namespace ktstr::coordinator
