// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/toolchain.h"

#include <stdlib.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"

namespace ktstr::kernel {
namespace {

// (program, Debian package).
constexpr std::pair<const char*, const char*> kTools[] = {
    {"gcc", "gcc"},        {"ld", "binutils"}, {"make", "make"},
    {"flex", "flex"},      {"bison", "bison"}, {"bc", "bc"},
    {"pahole", "dwarves"}, {"perl", "perl"},   {"tar", "tar"},
    {"xz", "xz-utils"},
};
// (header, Debian package): what the kernel's own build tools include.
constexpr std::pair<const char*, const char*> kHeaders[] = {
    {"/usr/include/gelf.h", "libelf-dev"},
};
// 64-bit enums in BTF need clang 16; newest first, then the default name.
constexpr const char* kLlvmSuffixes[] = {"-21", "-20", "-19", "-18",
                                         "-17", "-16", ""};

bool IsOnPath(absl::string_view program) {
  const char* path = getenv("PATH");
  for (absl::string_view dir :
       absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    if (access(JoinPath(dir, program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::vector<std::string> MissingTools() {
  std::vector<std::string> missing;
  for (auto [program, package] : kTools) {
    if (!IsOnPath(program)) {
      missing.push_back(absl::StrCat(program, " (package ", package, ")"));
    }
  }
  for (auto [header, package] : kHeaders) {
    if (!FileExists(header)) {
      missing.push_back(absl::StrCat(header, " (package ", package, ")"));
    }
  }
  return missing;
}

absl::StatusOr<std::string> MajorOfGcc() {
  CommandSpec query;
  query.argv = {"gcc", "-dumpversion"};
  ABSL_ASSIGN_OR_RETURN(CommandOutput output,
                        RunCommand(query, absl::Seconds(30)));
  absl::string_view version = absl::StripAsciiWhitespace(output.out);
  return std::string(version.substr(0, version.find('.')));
}

}  // namespace

absl::StatusOr<Toolchain> FindToolchain() {
  if (std::vector<std::string> missing = MissingTools(); !missing.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("building a kernel needs ", absl::StrJoin(missing, ", "),
                     ": install what is missing (tools/setup.sh does)"));
  }
  Toolchain toolchain;
  ABSL_ASSIGN_OR_RETURN(std::string major, MajorOfGcc());
  toolchain.compiler = absl::StrCat("gcc ", major);
  toolchain.has_ccache = IsOnPath("ccache");
  for (const char* suffix : kLlvmSuffixes) {
    if (IsOnPath(absl::StrCat("clang", suffix)) &&
        IsOnPath(absl::StrCat("llc", suffix)) &&
        IsOnPath(absl::StrCat("llvm-strip", suffix))) {
      toolchain.llvm_suffix = suffix;
      toolchain.has_bpf_compiler = true;
      break;
    }
  }
  return toolchain;
}

}  // namespace ktstr::kernel
