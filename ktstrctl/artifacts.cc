// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/artifacts.h"

#include <errno.h>
#include <sys/stat.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "ktstrctl/fleet_client.h"
#include "proto/attempt.pb.h"

namespace ktstr::ktstrctl {

absl::StatusOr<v1::ArtifactRef> Artifacts::Add(const std::string& path,
                                               const std::string& name) {
  std::string& hash = hash_of_path_[path];
  if (hash.empty()) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      return absl::ErrnoToStatus(errno, path);
    }
    ABSL_ASSIGN_OR_RETURN(hash, Sha256HexOfFile(path));
    files_.insert({hash,
                   {.path = path,
                    .name = name.empty() ? std::string(Basename(path)) : name,
                    .size_bytes = info.st_size}});
  }
  v1::ArtifactRef reference;
  reference.set_sha256(hash);
  reference.set_size_bytes(files_.at(hash).size_bytes);
  reference.set_name(name.empty() ? std::string(Basename(path)) : name);
  return reference;
}

absl::StatusOr<int> Artifacts::UploadMissing(
    FleetClient& client,
    const std::function<void(const Progress&)>& on_progress) const {
  std::vector<std::string> names;
  for (const auto& [hash, file] : files_) names.push_back(hash);
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> missing,
                        client.FindMissing(names));
  Progress progress;
  std::vector<std::pair<std::string, File>> wanted;
  for (const std::string& hash : missing) {
    auto found = files_.find(hash);
    if (found == files_.end()) {
      return absl::InternalError(absl::StrCat("the coordinator asks for ", hash,
                                              ", which was not offered"));
    }
    wanted.push_back(*found);
    progress.total += found->second.size_bytes;
  }
  int64_t done = 0;
  for (const auto& [hash, file] : wanted) {
    progress.name = file.name;
    ABSL_RETURN_IF_ERROR(
        client.Upload(file.path, hash, file.size_bytes, [&](int64_t sent) {
          progress.sent = done + sent;
          if (on_progress) on_progress(progress);
        }));
    done += file.size_bytes;
  }
  return static_cast<int>(wanted.size());
}

}  // namespace ktstr::ktstrctl
