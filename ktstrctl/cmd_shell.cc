// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "ktstrctl/commands.h"
#include "ktstrctl/shell_session.h"

namespace ktstr::ktstrctl {

void AddShellCommand(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<ShellOptions>();
  CLI::App* shell = app.add_subcommand(
      "shell", "Boot a guest and work in it; Ctrl-A x ends it");
  shell
      ->add_option("--topology", options->topology,
                   "Nodes, LLCs, cores per LLC and threads per core as N,L,C,T "
                   "or NnLlCcTt, or a preset")
      ->capture_default_str();
  shell->add_option("--kernel", options->kernel,
                    "Path, version, series or cache key (default: discover)");
  shell
      ->add_option("-i,--include-files", options->includes,
                   "File, directory or name of a program to find in "
                   "/include-files, with its libraries (repeatable)")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  shell->add_option("--exec", options->command,
                    "Run this by sh -c instead, without a terminal; its output "
                    "and exit code are this program's");
  shell->add_option("--memory", options->memory_mib,
                    "MiB of guest memory, from 128 (default: 64 for each CPU, "
                    "at least 256)");
  shell->add_flag("--dmesg", options->wants_console,
                  "The guest's whole kernel log on standard error as it comes");
  shell->add_option("--host", options->host_id,
                    "Host of the fleet (default: one with room)");
  shell->add_option("--coordinator", options->coordinator,
                    "unix:PATH or HOST:PORT (default: a fleet of this machine "
                    "alone)");
  shell->callback([options, &chosen] {
    chosen = [options] { return RunShell(*options); };
  });
}

}  // namespace ktstr::ktstrctl
