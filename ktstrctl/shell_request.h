// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SHELL_REQUEST_H_
#define KTSTR_KTSTRCTL_SHELL_REQUEST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ktstrctl/artifacts.h"

namespace ktstr::v1 {
class ShellRequest;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

// What a person asked for.
struct ShellOptions {
  std::string topology = "1,1,1,1";  // or "1n1l1c1t", or a preset's name
  std::string kernel;                // empty: discovery
  std::vector<std::string> includes;
  // Absent: an interactive shell.
  std::optional<std::string> command;
  // Absent: 64 for each CPU, at least 256.
  std::optional<int64_t> memory_mib;
  bool wants_console = false;
  std::string host_id;      // empty: any
  std::string coordinator;  // empty: the embedded fleet
};

// A request that is ready to be sent, and the files it names.
struct PreparedShell {
  std::unique_ptr<v1::ShellRequest> request;
  Artifacts artifacts;

  PreparedShell();
  PreparedShell(PreparedShell&&);
  ~PreparedShell();
};

// Checks everything that can be checked without a fleet and reads the files.
// The window is not filled in.
//
// Errors: one sentence that names what was wrong and what is accepted.
absl::StatusOr<PreparedShell> PrepareShell(const ShellOptions& options);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SHELL_REQUEST_H_
