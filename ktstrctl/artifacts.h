// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_ARTIFACTS_H_
#define KTSTR_KTSTRCTL_ARTIFACTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ktstr::v1 {
class ArtifactRef;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

class FleetClient;

// The files that a submission consists of, each under the SHA-256 of its
// content.
//
// Threads: one at a time.
class Artifacts {
 public:
  // Hashes the file (once per path) and returns its name for the wire. `name`
  // is what people see; the file's own when empty.
  absl::StatusOr<v1::ArtifactRef> Add(const std::string& path,
                                      const std::string& name = "");

  struct Progress {
    std::string name;
    int64_t sent = 0;   // of all files that are missing
    int64_t total = 0;  // bytes
  };
  // Sends what the coordinator does not have. Returns how many files it sent.
  absl::StatusOr<int> UploadMissing(
      FleetClient& client,
      const std::function<void(const Progress&)>& on_progress) const;

 private:
  struct File {
    std::string path;
    std::string name;
    int64_t size_bytes = 0;
  };
  std::map<std::string, std::string> hash_of_path_;
  std::map<std::string, File> files_;  // by SHA-256
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_ARTIFACTS_H_
