// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/converters/guest_files.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "model/guest_layout.h"

namespace ktstr::coordinator {
namespace {

constexpr size_t kMaxGuestPath = 1024;
constexpr size_t kMaxName = 200;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

bool IsGuestPath(absl::string_view path) {
  if (path.size() > kMaxGuestPath || !absl::StartsWith(path, "/")) return false;
  if (path == "/ktstr" || absl::StartsWith(path, "/ktstr/")) return false;
  for (absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return path.find('\0') == absl::string_view::npos;
}

}  // namespace

absl::Status CheckArtifact(const v1::ArtifactRef& ref,
                           absl::string_view where) {
  if (!IsSha256Hex(ref.sha256())) {
    return Invalid(where, ": artifact \"", ref.name(), "\" has sha256 \"",
                   ref.sha256().substr(0, 80),
                   "\", accepted are 64 lower-case hexadecimal digits");
  }
  if (ref.size_bytes() < 0) {
    return Invalid(where, ": artifact \"", ref.name(), "\" has size ",
                   ref.size_bytes(), ", accepted are 0 and above");
  }
  if (ref.name().empty() || ref.name().size() > kMaxName ||
      absl::StrContains(ref.name(), '/') || ref.name() == "." ||
      ref.name() == "..") {
    return Invalid(where, ": artifact name \"", ref.name().substr(0, 80),
                   "\" is not a file name of 1 to ", kMaxName, " bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckGuestFiles(const GuestFiles& files, absl::string_view where) {
  for (const v1::GuestFile& file : files) {
    ABSL_RETURN_IF_ERROR(CheckArtifact(file.content(), where));
    if (!IsGuestPath(file.guest_path())) {
      return Invalid(where, ": guest path \"", file.guest_path().substr(0, 80),
                     "\" is not absolute, not clean, below /ktstr or longer "
                     "than ",
                     kMaxGuestPath, " bytes");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckModules(const KernelModules& modules,
                          absl::string_view where) {
  if (modules.size() > kMaxGuestModules) {
    return Invalid(where, ": ", modules.size(),
                   " kernel modules, accepted are at most ", kMaxGuestModules);
  }
  for (const v1::ArtifactRef& module : modules) {
    ABSL_RETURN_IF_ERROR(CheckArtifact(module, where));
  }
  return absl::OkStatus();
}

}  // namespace ktstr::coordinator
