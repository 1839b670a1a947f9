// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What an ELF program needs beside itself, so that it can run on a machine that
// has nothing installed.
#ifndef KTSTR_BASE_ELF_LIBRARIES_H_
#define KTSTR_BASE_ELF_LIBRARIES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr {

// One shared library of a program, or its dynamic linker.
struct ElfLibrary {
  // Where it lies on this machine.
  std::string host_path;
  // Where the dynamic linker of an otherwise empty machine finds it: its own
  // path when the linker or the program names that directory, else a path in
  // kRelocatedLibraryDir.
  std::string guest_path;
};

// Libraries this machine found by means the other machine does not have
// ($ORIGIN, LD_LIBRARY_PATH, /etc/ld.so.conf) go here. Whoever starts the
// program there sets LD_LIBRARY_PATH to this directory.
inline constexpr char kRelocatedLibraryDir[] = "/usr/lib/ktstr";

// Whether the file is a program this fleet can run. Reads the ELF header only.
//
// Errors:
//   NotFound, PermissionDenied  the file cannot be read.
//   InvalidArgument             "X is not an ELF program", "X is built for
//                               aarch64, this fleet runs x86_64", and the like.
absl::Status CheckElfExecutable(const std::string& path);

// Every library the program needs, directly or through another library, and its
// dynamic linker; breadth first, the dynamic linker first, each once. Empty for
// a static program. Searches where ld.so of this machine would (with this
// process's LD_LIBRARY_PATH), without running anything.
//
// Errors:
//   as CheckElfExecutable, for the program.
//   InvalidArgument  a library of the right name is damaged.
//   NotFound         a library is nowhere; the message names it and the file
//                    that needs it.
absl::StatusOr<std::vector<ElfLibrary>> ElfLibrariesOf(const std::string& path);

// Where to search; ElfLibrariesOf() fills it from this machine.
struct ElfSearchDirs {
  std::vector<std::string> library_path;  // LD_LIBRARY_PATH
  std::vector<std::string> configured;    // /etc/ld.so.conf and its includes
  std::vector<std::string> defaults;      // built into the dynamic linker
};
absl::StatusOr<std::vector<ElfLibrary>> ElfLibrariesOf(
    const std::string& path, const ElfSearchDirs& dirs);

// What one ELF file says about its libraries.
struct ElfDynamic {
  std::string interpreter;           // PT_INTERP; empty: none
  std::vector<std::string> needed;   // DT_NEEDED, in order
  std::vector<std::string> rpath;    // DT_RPATH, split at ':'
  std::vector<std::string> runpath;  // DT_RUNPATH, split at ':'
};

// Trust:  `bytes` is hostile; no field is believed before it is checked against
//         the size.
// Errors: InvalidArgument "is not ...", "is built for ...", "is damaged: ...":
//         without the file's name, which the caller puts in front.
absl::StatusOr<ElfDynamic> ParseElfDynamic(absl::string_view bytes);

// The directories in the text of an ld.so.conf, and its include patterns.
struct LdSoConf {
  std::vector<std::string> dirs;
  std::vector<std::string> includes;
};
LdSoConf ParseLdSoConf(absl::string_view text);

}  // namespace ktstr

#endif  // KTSTR_BASE_ELF_LIBRARIES_H_
