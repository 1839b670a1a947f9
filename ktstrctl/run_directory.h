// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_RUN_DIRECTORY_H_
#define KTSTR_KTSTRCTL_RUN_DIRECTORY_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace ktstr::ktstrctl {

// The private directory of one embedded fleet: socket, store, logs.
//
// Shape: <base>/ktstr-run-<uid>-XXXXXX/, mode 0700, with a file "lock" that
//        this process holds (flock) while it lives, however it ends. <base> is
//        $TMPDIR, or /tmp where that is too long for socket addresses.
// Threads: any.
class RunDirectory {
 public:
  // Removes the directories of dead processes of this user, then makes one.
  static absl::StatusOr<RunDirectory> Create();

  RunDirectory(RunDirectory&&) = default;
  RunDirectory& operator=(RunDirectory&&) = delete;
  // Removes the directory.
  ~RunDirectory() { Remove(); }

  const std::string& path() const { return path_; }

  // Removes it now; a second call does nothing.
  void Remove() const;

 private:
  RunDirectory(std::string path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;
};

// Removes the unlocked run directories of this user below `base`; returns how
// many. Entries of others, links and what cannot be read stay.
int SweepRunDirectories(const std::string& base);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_RUN_DIRECTORY_H_
