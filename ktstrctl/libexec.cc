// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/libexec.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace ktstr::ktstrctl {

std::string LibexecDir() {
  const char* libexec = getenv("KTSTR_LIBEXEC");
  if (libexec != nullptr && *libexec != '\0') return libexec;
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0) return ".";
  return std::string(Dirname(absl::string_view(path, length)));
}

absl::StatusOr<std::string> FindProgramOfOurs(absl::string_view name) {
  std::string dir = LibexecDir();
  std::string path = JoinPath(dir, name);
  if (access(path.c_str(), X_OK) == 0) return path;
  return absl::NotFoundError(absl::StrCat(
      "program ", name, " is not in ", dir,
      "; it belongs beside ktstrctl, or in the directory $KTSTR_LIBEXEC"));
}

}  // namespace ktstr::ktstrctl
