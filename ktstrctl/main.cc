// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <signal.h>

#include <algorithm>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gauntlet/close_names.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"

namespace {

using ::ktstr::ktstrctl::Complain;
using ::ktstr::ktstrctl::kExitUsage;

constexpr char kVersion[] = "ktstrctl 0.1";

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command :
       app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// The first word, when it should be a command and is none; else empty.
std::string UnknownCommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  std::vector<std::string> names = CommandNames(app);
  bool is_known = std::find(names.begin(), names.end(), argv[1]) != names.end();
  return is_known ? "" : argv[1];
}

int RefuseCommand(const CLI::App& app, const std::string& word) {
  return Complain(absl::InvalidArgumentError(absl::StrCat(
                      "unknown command \"", word, "\"",
                      ktstr::gauntlet::DidYouMean(word, CommandNames(app)),
                      "; ktstrctl --help lists them")),
                  kExitUsage);
}

// The one place that sees an exception: the parser's way to return.
int Parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return Complain(absl::InvalidArgumentError(error.what()), kExitUsage);
  }
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  CLI::App app("Tests Linux schedulers on a fleet of virtual machines.",
               "ktstrctl");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  ktstr::ktstrctl::Command chosen;
  ktstr::ktstrctl::AddSubmitCommand(app, chosen);
  ktstr::ktstrctl::AddListCommands(app, chosen);
  ktstr::ktstrctl::AddScenariosCommand(app, chosen);
  ktstr::ktstrctl::AddHostCommands(app, chosen);
  ktstr::ktstrctl::AddKernelCommands(app, chosen);
  ktstr::ktstrctl::AddVerifierCommand(app, chosen);
  ktstr::ktstrctl::AddShellCommand(app, chosen);
  ktstr::ktstrctl::AddDoctorCommand(app, chosen);
  ktstr::ktstrctl::AddFleetCommands(app, chosen);

  std::string unknown = UnknownCommand(app, argc, argv);
  if (!unknown.empty()) return RefuseCommand(app, unknown);
  if (int code = Parse(app, argc, argv); code >= 0) return code;
  return chosen();
}
