// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/environment.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/elf_libraries.h"
#include "base/file.h"

namespace ktstr::guestd {
namespace {

// Far above what is packed.
constexpr int kMaxDepth = 32;

// Adds `dir`, when it has a program, and then those below it, by name.
void AddProgramDirs(const std::string& dir, int depth, std::string& path) {
  absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
  if (!names.ok() || depth > kMaxDepth) return;
  bool has_program = false;
  std::vector<std::string> below;
  for (const std::string& name : *names) {
    const std::string entry = JoinPath(dir, name);
    struct stat info;
    if (lstat(entry.c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) below.push_back(entry);
    has_program |= S_ISREG(info.st_mode) && (info.st_mode & 0111) != 0;
  }
  // A colon separates directories; no program of such a one can be named.
  if (has_program && dir.find(':') == std::string::npos) {
    absl::StrAppend(&path, dir, ":");
  }
  for (const std::string& entry : below) {
    AddProgramDirs(entry, depth + 1, path);
  }
}

}  // namespace

std::vector<std::string> LibraryEnvironment() {
  if (!FileExists(kRelocatedLibraryDir)) return {};
  return {absl::StrCat("LD_LIBRARY_PATH=", kRelocatedLibraryDir)};
}

std::vector<std::string> ProgramEnvironment(const std::string& path,
                                            const std::string& dir) {
  std::string dirs;
  AddProgramDirs(dir, 0, dirs);
  if (dirs.empty()) return {};
  return {absl::StrCat("PATH=", dirs, path)};
}

}  // namespace ktstr::guestd
