// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What `-i` and tests name, and where it goes in the guest.
#ifndef KTSTR_KTSTRCTL_INCLUDE_FILES_H_
#define KTSTR_KTSTRCTL_INCLUDE_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::ktstrctl {

struct IncludedFile {
  std::string host_path;   // without links
  std::string guest_path;  // absolute
  bool is_executable = false;

  friend bool operator==(const IncludedFile&, const IncludedFile&) = default;
};

// One of the things that are wanted.
struct IncludeWord {
  // A path; or a name, to be looked for.
  std::string word;
  // Who wants it, for messages: "-i", "test t, payload fio:".
  std::string origin;
  // Where it is looked for behind the working directory; empty: nowhere.
  std::string beside;
  // Only a file that can be executed will do.
  bool is_program = false;
};

// Every file that the words name, and the libraries that ELF programs and
// libraries among them need, by guest path.
//
// Shape: a file becomes /include-files/NAME; a directory /include-files/DIR/...
//        with its structure, links followed, directories without files left
//        out. A word is looked for in the working directory, then in `beside`,
//        and without a slash then on `search_path` ("DIR:DIR") as a program.
//        Libraries go where ElfLibrariesOf() says. The same file wanted twice
//        at one place is one.
//
// Errors:
//   InvalidArgument  a word names nothing, or what it names cannot be packed:
//                    neither file nor directory, a directory without files or
//                    that contains itself, ".." or ".ktstr_..." in a name, a
//                    name that is not UTF-8, two different files for one place,
//                    a library that is nowhere, more than kMaxIncludedFiles.
//                    The message names the path and the origin, of two files
//                    both of each.
absl::StatusOr<std::vector<IncludedFile>> CollectIncludeFiles(
    const std::vector<IncludeWord>& words, absl::string_view search_path);

// The same for words of the command line.
absl::StatusOr<std::vector<IncludedFile>> CollectIncludeFiles(
    const std::vector<std::string>& words, absl::string_view search_path);

inline constexpr size_t kMaxIncludedFiles = 1900;

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_INCLUDE_FILES_H_
