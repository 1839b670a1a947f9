// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_SOURCE_H_
#define KTSTR_KERNEL_SOURCE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ktstr::kernel {

// The code that a kernel is built from, and how a build gets it.
struct KernelSource {
  std::string kind;  // "tarball" or "local", as metadata has it
  std::string name;  // for people: "linux-source-6.12", "/home/me/linux"
  // Which code exactly: "6.12.117-1~deb12u1", "commit 1a2b3c4", "dirty".
  std::string identity;
  // How keys of its kernels begin: "6.12.117-tarball", "local-1a2b3c4".
  std::string key_prefix;
  // Nobody knows what is inside: never taken from the cache, never found by a
  // search; each build takes the place of the one before.
  bool is_dirty = false;
  // Not empty: the copy is kept between builds under this name, so that the
  // next one compiles what changed.
  std::string kept_as;
  std::string archive;  // a tarball to unpack, or
  std::string tree;     // a directory to copy

  // What fills the directory `copy` with the code.
  std::vector<std::string> FillCommand(const std::string& copy) const;
};

// What `text` (a KernelSpec) asks to be built: a version or series from an
// installed linux-source package below `source_dir`, or the tree at a path.
//
// Errors: those of ParseKernelSpec(), FindSourcePackage() and
// InspectLocalTree();
//         Unimplemented for git and range forms, InvalidArgument for a cache
//         key.
absl::StatusOr<KernelSource> FindSource(const std::string& text,
                                        const std::string& source_dir);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_SOURCE_H_
