// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_RUN_DIR_H_
#define KTSTR_HOSTD_RUN_DIR_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"

namespace ktstr::hostd {

// The private directory of one hostd process: sockets and other traces of its
// attempts, gone when the process is gone, however that happens.
//
// Shape: <root>/host-XXXXXX/ with a file "lock" that the process holds locked
//        (flock); who finds an unlocked one may remove the directory. <root>
//        itself goes with the last of them.
class RunDir {
 public:
  // Removes the directories of dead processes below `root` (made if missing,
  // mode 0700), then makes one for this process.
  //
  // Errors: the mapping of errno, with the path in the message.
  static absl::StatusOr<RunDir> Create(const std::string& root);

  RunDir(RunDir&& other) noexcept;
  RunDir& operator=(RunDir&& other) = delete;
  // Removes the directory unless Keep() was called.
  ~RunDir();

  const std::string& path() const { return path_; }

  // A fresh directory below path(), as short as possible: socket addresses
  // have 107 bytes.
  absl::StatusOr<std::string> MakeAttemptDir() const;

  // Leaves everything where it is, for people who look into a failure.
  void Keep() { is_kept_ = true; }

 private:
  static absl::StatusOr<RunDir> TryCreate(const std::string& root);
  RunDir(std::string root, std::string path, UniqueFd lock)
      : root_(std::move(root)),
        path_(std::move(path)),
        lock_(std::move(lock)) {}

  std::string root_;
  std::string path_;
  UniqueFd lock_;
  bool is_kept_ = false;
};

// A child (`program --sweep-after FD --run-dir DIR`) that outlives a killed
// hostd by the moment it takes to remove its run directory.
class Sweeper {
 public:
  // Errors: as Subprocess::Start.
  static absl::StatusOr<Sweeper> Start(const std::string& program,
                                       const std::string& run_dir);

 private:
  Sweeper(Subprocess process, UniqueFd owner)
      : process_(std::move(process)), owner_(std::move(owner)) {}

  // Killed by its destructor after a normal end.
  Subprocess process_;
  // The sweeper waits for this pipe to close.
  UniqueFd owner_;
};

// The sweeper's body: waits until the last writer of `fd` is gone, then removes
// `run_dir` and, when it is empty, its parent.
void SweepAfter(int fd, const std::string& run_dir);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_RUN_DIR_H_
