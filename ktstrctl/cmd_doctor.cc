// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/doctor.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/terminal.h"
#include "nlohmann/json.hpp"
#include "results/style.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;
using results::Tone;

struct DoctorFlags {
  bool is_json = false;
  bool is_summary = false;
};

bool IsUsable(const std::vector<Check>& checks) {
  for (const Check& check : checks) {
    if (check.state == Check::State::kFail) return false;
  }
  return true;
}

std::string AsJson(const std::vector<Check>& checks) {
  json out = {{"usable", IsUsable(checks)}, {"checks", json::array()}};
  for (const Check& check : checks) {
    out["checks"].push_back(
        {{"name", check.name},
         {"state", std::string(StateName(check.state))},
         {"detail", check.detail},
         {"advice", check.advice.empty() ? json() : json(check.advice)}});
  }
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Tone ToneOf(Check::State state) {
  if (state == Check::State::kOk) return Tone::kGood;
  return state == Check::State::kWarn ? Tone::kWarn : Tone::kBad;
}

std::string AsText(const std::vector<Check>& checks, bool has_colour) {
  std::string text;
  for (const Check& check : checks) {
    absl::StrAppend(
        &text,
        results::Styled(has_colour, ToneOf(check.state),
                        absl::StrFormat("%-5s", StateName(check.state))),
        absl::StrFormat("%-13s %s\n", check.name, check.detail));
    if (!check.advice.empty()) {
      absl::StrAppend(&text, std::string(19, ' '), check.advice, "\n");
    }
  }
  return text;
}

// The first thing that is wrong, for scripts that say why they go elsewhere.
std::string Summary(const std::vector<Check>& checks) {
  for (const Check& check : checks) {
    if (check.state == Check::State::kFail) {
      return absl::StrCat(check.name, ": ", check.detail, "\n");
    }
  }
  return "usable\n";
}

int RunDoctor(const DoctorFlags& flags) {
  std::vector<Check> checks = Examine();
  std::string text =
      flags.is_json ? AsJson(checks)
      : flags.is_summary
          ? Summary(checks)
          : AsText(checks, Terminal::Of(STDOUT_FILENO).has_colour);
  fwrite(text.data(), 1, text.size(), stdout);
  return IsUsable(checks) ? kExitPassed : kExitFailed;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Command& chosen) {
  auto flags = std::make_shared<DoctorFlags>();
  CLI::App* doctor = app.add_subcommand(
      "doctor",
      "Check whether this machine can run guests (exit 0) or not (1)");
  doctor->add_flag("--json", flags->is_json, "Print one JSON object");
  doctor->add_flag("--summary", flags->is_summary,
                   "Print one line: the first thing that is wrong");
  doctor->callback(
      [flags, &chosen] { chosen = [flags] { return RunDoctor(*flags); }; });
}

}  // namespace ktstr::ktstrctl
