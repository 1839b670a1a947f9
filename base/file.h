// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Small files and directories: whole reads, whole writes, nothing half-done.
#ifndef KTSTR_BASE_FILE_H_
#define KTSTR_BASE_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace ktstr {

// Opens with O_CLOEXEC added to `flags`.
//
// Errors: the mapping of errno, with the path in the message.
absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags,
                                  mode_t mode = 0644);

// The whole content. ResourceExhausted when it is longer than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     uint64_t max_bytes = uint64_t{1} << 30);

// Reads `fd` from its current offset to its end; same limit.
absl::StatusOr<std::string> ReadAll(int fd,
                                    uint64_t max_bytes = uint64_t{1} << 30);

// Writes every byte or fails; retries short writes and EINTR.
absl::Status WriteAll(int fd, absl::string_view bytes);

// Writes to a temporary name in the same directory, syncs, renames. A reader
// sees the old content or all of the new; after a failure the temporary file
// is gone.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view bytes, mode_t mode = 0644);

// Writes into an existing file (sysfs, procfs, cgroupfs): no create, no rename.
absl::Status WriteExisting(const std::string& path, absl::string_view bytes);

// Creates the directory and its missing parents. Existing is OK.
absl::Status MakeDirs(const std::string& path, mode_t mode = 0755);

// Removes a file or a whole tree, without following links. Missing is OK.
absl::Status RemoveTree(const std::string& path);

// Names in the directory without "." and "..", sorted.
absl::StatusOr<std::vector<std::string>> ListDir(const std::string& path);

bool FileExists(const std::string& path);

// "a" + "b" -> "a/b"; one slash between.
std::string JoinPath(absl::string_view a, absl::string_view b);

// The part after the last slash, and the part before it ("." if none).
absl::string_view Basename(absl::string_view path);
absl::string_view Dirname(absl::string_view path);

// The user's cache directory of the project: $KTSTR_CACHE_DIR, else
// $XDG_CACHE_HOME/ktstr, else $HOME/.cache/ktstr. FailedPrecondition when none
// of the three is set.
absl::StatusOr<std::string> CacheDir();

// A file in memory that holds `content`, its offset at 0; seals may be added.
// `name` is for people who look into /proc.
absl::StatusOr<UniqueFd> MemoryFile(const char* name,
                                    absl::string_view content = "");

// A fresh directory `prefix`XXXXXX under $TMPDIR or /tmp, removed with its
// content by the destructor.
class TempDir {
 public:
  static absl::StatusOr<TempDir> Create(absl::string_view prefix);
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&& other) noexcept;
  ~TempDir();

  const std::string& path() const { return path_; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace ktstr

#endif  // KTSTR_BASE_FILE_H_
