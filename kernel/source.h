// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_SOURCE_H_
#define KTSTR_KERNEL_SOURCE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernel/git_source.h"
#include "kernel/kernel_org.h"
#include "kernel/spec.h"

namespace ktstr::kernel {

// The code that a kernel is built from, and how a build gets it.
struct KernelSource {
  std::string kind;  // "tarball", "git" or "local", as metadata has it
  // For people: "linux-source-6.12", "linux-6.12.5", "/home/me/linux".
  std::string name;
  // Which code exactly: "6.12.117-1~deb12u1", "kernel.org", "commit 1a2b3c4".
  // Part of the key, so known before anything is got.
  std::string identity;
  // What else metadata says: "sha256 12ab..., signed".
  std::string trust;
  // How keys of its kernels begin: "6.12.117-tarball", "local-1a2b3c4".
  std::string key_prefix;
  // Nobody knows what is inside: never taken from the cache, never found by a
  // search; each build takes the place of the one before.
  bool is_dirty = false;
  // Not empty: the copy is kept between builds under this name, so that the
  // next one compiles what changed.
  std::string kept_as;
  // Where it comes from, when it is not on this machine.
  std::optional<KernelVersion> release;  // of kernel.org
  std::optional<RemoteTarball> tarball;  // of that release, once located
  std::optional<GitCommit> commit;

  // What is unpacked; the first two are empty until it was got.
  std::string archive;     // a tarball, or
  std::string repository;  // a bare git repository with `commit`, or
  std::string tree;        // a directory

  // What fills the directory `copy` with the code.
  std::vector<std::string> FillCommand(const std::string& copy) const;
};

// Where to look for code.
struct SourceSearch {
  std::string source_dir;                 // of installed packages
  const KernelOrg* kernel_org = nullptr;  // not null
  int cancel_fd = -1;
  // Is told what is taken instead of what was asked for.
  std::function<void(const std::string& note)> on_note;
};

// What `text` (a KernelSpec; blank: the newest matured release) asks to be
// built. Asks kernel.org for what a series stands for, and git for a ref; a
// full version needs no network.
//
// Errors: those of ParseKernelSpec(), KernelOrg, ResolveGitRef(),
//         FindSourcePackage() and InspectLocalTree();
//         InvalidArgument for a range and a cache key.
absl::StatusOr<KernelSource> FindSource(const std::string& text,
                                        const SourceSearch& search);

// The same source with its tarball located; others as they are. While
// kernel.org cannot be reached, the installed package with the same version, if
// there is one.
absl::StatusOr<KernelSource> LocateSource(KernelSource source,
                                          const SourceSearch& search);

// Looks again at a tree that was clean when it was found, after it was copied:
// what changed meanwhile may be in the copy, so nobody knows what is in that.
// The source as it is now, maybe dirty; others as they are.
//
// Errors: those of InspectLocalTree().
absl::StatusOr<KernelSource> InspectAgain(const KernelSource& source);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_SOURCE_H_
