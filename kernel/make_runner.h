// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_MAKE_RUNNER_H_
#define KTSTR_KERNEL_MAKE_RUNNER_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/subprocess.h"

namespace ktstr::kernel {

struct MakeRun {
  // What to run; standard output and error are taken, standard input is empty.
  CommandSpec command;
  // "configuring", for errors.
  std::string what;
  // Becoming readable ends the command with its children; -1: never. Borrowed.
  int cancel_fd = -1;
  // Called for every line of output, without its newline. May be empty.
  std::function<void(absl::string_view line)> on_line;
};

// Runs one long command to its end. When this process is killed the command
// loses its output pipe and ends at its next line.
//
// Blocks: until the command and everything that holds its output has ended.
// Errors:
//   Internal   the command failed: its end and its last lines of output.
//   NotFound   it cannot be executed.
//   Cancelled  cancel_fd; the whole process group was killed.
absl::Status RunMake(const MakeRun& run);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_MAKE_RUNNER_H_
