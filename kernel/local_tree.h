// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_LOCAL_TREE_H_
#define KTSTR_KERNEL_LOCAL_TREE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::kernel {

// A person's kernel source tree. It is only ever read.
struct LocalTree {
  std::string root;     // absolute, without links
  std::string version;  // "6.12.5", "6.13-rc2", as its Makefile says
  // Commit of its work tree; empty when it is no git checkout.
  std::string commit;
  // Differs from the commit, or there is none: nobody knows what is in it.
  bool is_dirty = true;
};

// Looks at the tree at `path`.
//
// Blocks: while git compares the files with its index, seconds on a cold disk.
// Errors:
//   NotFound         there is no such directory.
//   InvalidArgument  it is no kernel source tree; the sentence says what lacks.
//   Unavailable      git does not answer.
absl::StatusOr<LocalTree> InspectLocalTree(const std::string& path);

// The release a top-level kernel Makefile states; NotFound when it states none.
absl::StatusOr<std::string> MakefileVersion(absl::string_view makefile);

// The command (rsync) that makes `copy` equal to the sources below `root`.
// Products of builds, `root`'s and `copy`'s, stay what they are, so that a
// second build in `copy` compiles what changed.
std::vector<std::string> CopyTreeCommand(const std::string& root,
                                         const std::string& copy);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_LOCAL_TREE_H_
