// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/handlers/shells.h"

#include <memory>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "coordinator/converters/grpc_status.h"
#include "coordinator/converters/shell.h"

namespace ktstr::coordinator {
namespace {

// Nobody guesses it, and no two are the same.
std::string MakeToken(Random& random) {
  return absl::StrFormat("%016x%016x", random.Next(), random.Next());
}

absl::Status CheckArtifactsHeld(const v1::ShellRequest& request,
                                const ArtifactStore& artifacts) {
  for (const v1::ArtifactRef& ref : ArtifactsOf(request)) {
    if (!artifacts.Has(ref.sha256())) {
      return absl::FailedPreconditionError(
          absl::StrCat("artifact \"", ref.name(), "\" (", ref.sha256(),
                       ") is not held; upload it first"));
    }
  }
  return absl::OkStatus();
}

// From the first message to the client's last; a shell's end is no error.
absl::Status Serve(Environment& environment, absl::Duration attach_timeout,
                   grpc::ServerContext* context,
                   ShellsService::ClientStream* stream) {
  v1::OpenShellRequest message;
  if (!stream->Read(&message) || !message.has_request()) {
    return absl::InvalidArgumentError(
        "the first message of a shell must be its request");
  }
  const v1::ShellRequest request = message.request();
  ABSL_ASSIGN_OR_RETURN(Topology topology, CheckShellRequest(request));
  ABSL_RETURN_IF_ERROR(CheckArtifactsHeld(request, *environment.artifacts));
  const std::string token = MakeToken(*environment.random);
  ABSL_ASSIGN_OR_RETURN(std::shared_ptr<ShellRelay> relay,
                        environment.shells->Add(token));
  absl::Cleanup remover = [&] { environment.shells->Remove(token); };
  relay->OpenClient(
      [stream](const v1::ShellOutput& output) { return stream->Write(output); },
      [context] { context->TryCancel(); });
  absl::Cleanup closer = [&] { relay->CloseClient(); };
  ABSL_ASSIGN_OR_RETURN(std::string host, environment.fleet->PlaceShell(
                                              token, request, topology.cpus()));
  relay->SetHost(host);
  absl::Status attached = relay->AwaitHost(attach_timeout);
  if (!attached.ok()) {
    environment.fleet->EndShell(host, token);
    return attached;
  }
  while (stream->Read(&message)) relay->SendToHost(message.input());
  return absl::OkStatus();
}

}  // namespace

grpc::Status ShellsService::Open(grpc::ServerContext* context,
                                 ClientStream* stream) {
  return ToGrpcStatus(Serve(environment_, attach_timeout_, context, stream));
}

grpc::Status ShellsService::Attach(grpc::ServerContext* context,
                                   HostStream* stream) {
  v1::AttachShellRequest message;
  if (!stream->Read(&message) || message.token().empty()) {
    return ToGrpcStatus(absl::InvalidArgumentError(
        "the first message of a host must be the shell's token"));
  }
  const std::string token = message.token();
  std::shared_ptr<ShellRelay> relay = environment_.shells->Find(token);
  absl::Status opened =
      relay == nullptr
          ? absl::NotFoundError("nobody waits for this shell any more")
          : relay->OpenHost(
                [stream](const v1::ShellInput& input) {
                  return stream->Write(input);
                },
                [context] { context->TryCancel(); });
  if (!opened.ok()) return ToGrpcStatus(opened);
  const std::string host = relay->host_id();
  environment_.fleet->AttachShell(host, token);
  while (stream->Read(&message)) relay->SendToClient(message.output());
  relay->CloseHost();
  environment_.fleet->EndShell(host, token);
  return grpc::Status::OK;
}

}  // namespace ktstr::coordinator
