// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

absl::Status PathError(absl::string_view verb, absl::string_view path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(verb, " ", path));
}

// Deletes `name` below the directory `dir`; descends only into real
// directories, so a link never leads outside the tree.
absl::Status RemoveAt(int dir, const char* name) {
  if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return absl::OkStatus();
  if (errno != EISDIR && errno != EPERM) return PathError("remove", name);
  UniqueFd child(
      openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child) return PathError("open", name);
  DIR* stream = fdopendir(dup(child.get()));
  if (stream == nullptr) return PathError("list", name);
  absl::Cleanup closer = [stream] { closedir(stream); };
  while (dirent* entry = readdir(stream)) {
    absl::string_view entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    ABSL_RETURN_IF_ERROR(RemoveAt(child.get(), entry->d_name));
  }
  if (unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return PathError("remove", name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags,
                                  mode_t mode) {
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return PathError("open", path);
  return fd;
}

absl::StatusOr<std::string> ReadAll(int fd, uint64_t max_bytes) {
  std::string content;
  struct stat info;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    content.reserve(std::min<uint64_t>(info.st_size + 1, max_bytes + 1));
  }
  char buffer[65536];
  while (true) {
    ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, "read");
    if (count == 0) return content;
    content.append(buffer, count);
    if (content.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("longer than ", max_bytes, " bytes"));
    }
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     uint64_t max_bytes) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  absl::StatusOr<std::string> content = ReadAll(fd.get(), max_bytes);
  if (!content.ok()) return Annotate(content.status(), path);
  return content;
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, "write");
    bytes.remove_prefix(count);
  }
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view bytes, mode_t mode) {
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return PathError("create", temporary);
  absl::Cleanup remover = [&temporary] { unlink(temporary.c_str()); };
  ABSL_RETURN_IF_ERROR(Annotate(WriteAll(fd.get(), bytes), path));
  if (fchmod(fd.get(), mode) != 0) return PathError("chmod", temporary);
  if (fsync(fd.get()) != 0) return PathError("sync", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return PathError("rename to", path);
  }
  std::move(remover).Cancel();
  return absl::OkStatus();
}

absl::Status WriteExisting(const std::string& path, absl::string_view bytes) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_WRONLY));
  return Annotate(WriteAll(fd.get(), bytes), path);
}

absl::Status MakeDirs(const std::string& path, mode_t mode) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return PathError("create directory", part);
    }
    if (slash == std::string::npos) break;
  }
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return PathError("stat", path);
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " exists and is not a directory"));
  }
  return absl::OkStatus();
}

absl::Status RemoveTree(const std::string& path) {
  return RemoveAt(AT_FDCWD, path.c_str());
}

absl::StatusOr<std::vector<std::string>> ListDir(const std::string& path) {
  DIR* stream = opendir(path.c_str());
  if (stream == nullptr) return PathError("list", path);
  absl::Cleanup closer = [stream] { closedir(stream); };
  std::vector<std::string> names;
  while (dirent* entry = readdir(stream)) {
    absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool FileExists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

std::string JoinPath(absl::string_view a, absl::string_view b) {
  return absl::StrCat(absl::StripSuffix(a, "/"), "/",
                      absl::StripPrefix(b, "/"));
}

absl::string_view Basename(absl::string_view path) {
  size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

absl::string_view Dirname(absl::string_view path) {
  size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<std::string> CacheDir() {
  if (const char* dir = getenv("KTSTR_CACHE_DIR"); dir && *dir) return dir;
  if (const char* dir = getenv("XDG_CACHE_HOME"); dir && *dir) {
    return JoinPath(dir, "ktstr");
  }
  if (const char* dir = getenv("HOME"); dir && *dir) {
    return JoinPath(dir, ".cache/ktstr");
  }
  return absl::FailedPreconditionError(
      "no cache directory: set KTSTR_CACHE_DIR, XDG_CACHE_HOME or HOME");
}

absl::StatusOr<TempDir> TempDir::Create(absl::string_view prefix) {
  const char* root = getenv("TMPDIR");
  std::string path =
      JoinPath(root && *root ? root : "/tmp", absl::StrCat(prefix, "XXXXXX"));
  if (mkdtemp(path.data()) == nullptr) return PathError("create", path);
  return TempDir(std::move(path));
}

TempDir::TempDir(TempDir&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TempDir::~TempDir() {
  if (!path_.empty()) RemoveTree(path_).IgnoreError();
}

absl::StatusOr<UniqueFd> MemoryFile(const char* name,
                                    absl::string_view content) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return absl::ErrnoToStatus(errno, "memfd_create");
  ABSL_RETURN_IF_ERROR(WriteAll(fd.get(), content));
  if (lseek(fd.get(), 0, SEEK_SET) != 0) {
    return absl::ErrnoToStatus(errno, "lseek");
  }
  return fd;
}

}  // namespace ktstr
