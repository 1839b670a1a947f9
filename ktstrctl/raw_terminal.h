// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_RAW_TERMINAL_H_
#define KTSTR_KTSTRCTL_RAW_TERMINAL_H_

#include <memory>

#include "absl/status/statusor.h"

namespace ktstr::ktstrctl {

// Takes a terminal's keys as they are typed and shows bytes as they come, until
// destroyed. Its settings come back on every other way out as well: signals
// that end the process without a word of ours (SIGQUIT, SIGABRT, SIGSEGV, ...)
// restore them first. A stop (SIGTSTP) is ignored meanwhile.
//
// Threads: one object at a time in the whole process; RestoreNow() on any.
class RawTerminal {
 public:
  // Errors: the mapping of errno.
  static absl::StatusOr<std::unique_ptr<RawTerminal>> Enter(int fd);
  ~RawTerminal();

  // Restores the settings of the object that exists, if any. For a thread that
  // ends the process; may be called from a signal handler.
  static void RestoreNow();

 private:
  RawTerminal() = default;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_RAW_TERMINAL_H_
