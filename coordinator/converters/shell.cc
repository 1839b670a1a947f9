// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/converters/shell.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordinator/converters/guest_files.h"

namespace ktstr::coordinator {
namespace {

constexpr int kMaxFiles = 2000;
constexpr int64_t kMinMemoryMib = 128;
constexpr int64_t kMaxMemoryMib = 1 << 20;
constexpr size_t kMaxCommandBytes = 128 << 10;
constexpr size_t kMaxWordBytes = 256;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status CheckStart(const v1::ShellStart& start) {
  if (start.command().size() > kMaxCommandBytes) {
    return Invalid("the command has ", start.command().size(),
                   " bytes, accepted are at most ", kMaxCommandBytes);
  }
  if (start.command().find('\0') != std::string::npos) {
    return Invalid("the command has a zero byte in it");
  }
  for (const std::string* word : {&start.term(), &start.colorterm()}) {
    if (word->size() > kMaxWordBytes || word->find('\0') != std::string::npos) {
      return Invalid("TERM or COLORTERM has ", word->size(),
                     " bytes or a zero byte, accepted are at most ",
                     kMaxWordBytes, " without one");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Topology> CheckShellRequest(const v1::ShellRequest& request) {
  ABSL_ASSIGN_OR_RETURN(Topology topology, Topology::Parse(request.topology()));
  if (request.memory_mib() < kMinMemoryMib ||
      request.memory_mib() > kMaxMemoryMib) {
    return Invalid("memory_mib is ", request.memory_mib(), ", accepted are ",
                   kMinMemoryMib, " to ", kMaxMemoryMib);
  }
  ABSL_RETURN_IF_ERROR(CheckArtifact(request.kernel(), "kernel"));
  ABSL_RETURN_IF_ERROR(CheckModules(request.kernel_modules(), "kernel"));
  if (request.files_size() > kMaxFiles) {
    return Invalid(request.files_size(), " files for one guest, accepted are ",
                   "at most ", kMaxFiles);
  }
  ABSL_RETURN_IF_ERROR(CheckGuestFiles(request.files(), "files"));
  ABSL_RETURN_IF_ERROR(CheckStart(request.start()));
  return topology;
}

std::vector<v1::ArtifactRef> ArtifactsOf(const v1::ShellRequest& request) {
  std::vector<v1::ArtifactRef> artifacts = {request.kernel()};
  artifacts.insert(artifacts.end(), request.kernel_modules().begin(),
                   request.kernel_modules().end());
  for (const v1::GuestFile& file : request.files()) {
    artifacts.push_back(file.content());
  }
  return artifacts;
}

}  // namespace ktstr::coordinator
