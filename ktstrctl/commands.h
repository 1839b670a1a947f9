// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_COMMANDS_H_
#define KTSTR_KTSTRCTL_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace ktstr::ktstrctl {

// What the command line asked for; returns the exit code.
using Command = std::function<int()>;

// Each adds its subcommands to `app` and sets `chosen` when one is named.
// `chosen` outlives the parse.
void AddSubmitCommand(CLI::App& app, Command& chosen);
void AddListCommands(CLI::App& app, Command& chosen);    // list, presets
void AddKernelCommands(CLI::App& app, Command& chosen);  // kernel ...
void AddVerifierCommand(CLI::App& app, Command& chosen);
void AddShellCommand(CLI::App& app, Command& chosen);
void AddDoctorCommand(CLI::App& app, Command& chosen);
void AddHostCommands(CLI::App& app, Command& chosen);  // host ...
void AddScenariosCommand(CLI::App& app, Command& chosen);
void AddFleetCommands(CLI::App& app, Command& chosen);  // hosts, show

// Prints "ktstrctl: error: ..." to standard error; returns `exit_code`.
int Complain(const absl::Status& status, int exit_code);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_COMMANDS_H_
