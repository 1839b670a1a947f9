// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/handlers/hosts.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordinator/converters/grpc_status.h"

namespace ktstr::coordinator {
namespace {

constexpr size_t kMaxName = 64;
constexpr int kMaxCpus = 65536;
constexpr int64_t kMaxMemoryMib = int64_t{1} << 30;
constexpr int kMaxAttempts = 100000;

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  bool is_valid = !name.empty() && name.size() <= kMaxName;
  for (char c : name) {
    is_valid &= absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  }
  if (is_valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " \"", absl::CHexEscape(name.substr(0, kMaxName)),
                   "\" is malformed, accepted are 1 to ", kMaxName,
                   " characters of [A-Za-z0-9._-]"));
}

absl::Status CheckRequest(const v1::SynchronizeRequest& request) {
  ABSL_RETURN_IF_ERROR(CheckName("host_id", request.host_id()));
  ABSL_RETURN_IF_ERROR(CheckName("incarnation", request.incarnation()));
  if (request.cpus() < 0 || request.cpus() > kMaxCpus) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cpus is ", request.cpus(), ", accepted are 0 to ", kMaxCpus));
  }
  if (request.memory_mib() < 0 || request.memory_mib() > kMaxMemoryMib) {
    return absl::InvalidArgumentError(
        absl::StrCat("memory_mib is ", request.memory_mib(),
                     ", accepted are 0 to ", kMaxMemoryMib));
  }
  if (request.running_size() > kMaxAttempts ||
      request.finished_size() > kMaxAttempts) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", kMaxAttempts, " attempts in one call"));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::Status HostsService::Synchronize(grpc::ServerContext* context,
                                       const v1::SynchronizeRequest* request,
                                       v1::SynchronizeResponse* response) {
  absl::Status status = CheckRequest(*request);
  if (!status.ok()) return ToGrpcStatus(status);
  absl::StatusOr<v1::SynchronizeResponse> answer =
      environment_.fleet->Synchronize(
          *request, [context] { return context->IsCancelled(); });
  if (answer.ok()) *response = *std::move(answer);
  return ToGrpcStatus(answer.status());
}

}  // namespace ktstr::coordinator
