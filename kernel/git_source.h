// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_GIT_SOURCE_H_
#define KTSTR_KERNEL_GIT_SOURCE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::kernel {

// A commit of somebody's repository.
struct GitCommit {
  std::string url;
  std::string ref;   // what to fetch: "refs/tags/v6.12", or the hash itself
  std::string hash;  // 40 or 64 hexadecimal digits
};

// Which commit `ref` (a tag, a branch, a full name, a whole hash) is now. A tag
// comes before a branch of the same name, as in git itself. No hook and no
// question: what asks for a password fails.
//
// Blocks: while git asks the server; not at all for a hash. Ended by cancel_fd
//         (-1: never).
// Errors:
//   InvalidArgument  `url` or `ref` would be an option or a pattern to git.
//   NotFound         there is no such ref.
//   Unavailable      git's own words: no connection, no repository.
//   Cancelled        cancel_fd.
absl::StatusOr<GitCommit> ResolveGitRef(const std::string& url,
                                        const std::string& ref, int cancel_fd);

// Brings that commit, without its history, into the bare repository at
// `repository`, made when missing. One that a killed process left is taken
// over.
//
// Errors: Unavailable, also when the ref has become another commit meanwhile;
//         Cancelled.
absl::Status FetchGitCommit(const GitCommit& commit,
                            const std::string& repository, int cancel_fd);

// The command that fills the directory `copy` with the commit's files.
std::vector<std::string> CheckoutCommand(const std::string& repository,
                                         const std::string& hash,
                                         const std::string& copy);

// `ref` as a part of a cache key: at most 60 characters that a key may have.
std::string RefInKey(absl::string_view ref);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_GIT_SOURCE_H_
