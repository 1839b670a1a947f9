// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/scheduler_flags.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "nlohmann/json.hpp"
#include "results/printable.h"

namespace ktstr::ktstrctl {
namespace {

using ::nlohmann::json;

constexpr char kOption[] = "--ktstr-list-flags";
constexpr size_t kMaxListBytes = 1 << 20;
constexpr size_t kMaxNameBytes = 64;

bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_';
         });
}

absl::StatusOr<std::vector<std::string>> Texts(const json& entry,
                                               const char* key) {
  std::vector<std::string> texts;
  auto it = entry.find(key);
  if (it == entry.end()) return texts;
  bool is_fine = it->is_array() &&
                 std::all_of(it->begin(), it->end(),
                             [](const json& text) { return text.is_string(); });
  if (!is_fine) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", key, "\" is no array of texts"));
  }
  for (const json& text : *it) texts.push_back(text.get<std::string>());
  return texts;
}

absl::StatusOr<gauntlet::Flag> ParseFlag(const json& entry) {
  gauntlet::Flag flag;
  if (!entry.is_object()) {
    return absl::InvalidArgumentError("is no object");
  }
  auto name = entry.find("name");
  if (name != entry.end() && name->is_string()) {
    flag.name = name->get<std::string>();
  }
  if (!IsName(flag.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has no \"name\" of 1 to ", kMaxNameBytes,
                     " letters, digits, '-' and '_'"));
  }
  ABSL_ASSIGN_OR_RETURN(flag.args, Texts(entry, "args"));
  ABSL_ASSIGN_OR_RETURN(flag.requires_flags, Texts(entry, "requires"));
  return flag;
}

absl::Status Bad(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("scheduler ", path, " ", kOption, ": ", what));
}

}  // namespace

absl::StatusOr<std::vector<gauntlet::Flag>> ParseSchedulerFlags(
    absl::string_view text) {
  json list = json::parse(text.begin(), text.end(), nullptr,
                          /*allow_exceptions=*/false);
  if (!list.is_array()) {
    return absl::InvalidArgumentError(
        "the output is no JSON array of objects with name, args and requires");
  }
  if (list.size() > gauntlet::kMaxOptionalFlags) {
    return absl::InvalidArgumentError(
        absl::StrCat(list.size(), " flags are listed, accepted are at most ",
                     gauntlet::kMaxOptionalFlags));
  }
  std::vector<gauntlet::Flag> flags;
  for (const json& entry : list) {
    absl::StatusOr<gauntlet::Flag> flag = ParseFlag(entry);
    if (!flag.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "entry ", flags.size() + 1, " ", flag.status().message()));
    }
    flags.push_back(*std::move(flag));
  }
  return flags;
}

absl::StatusOr<std::vector<gauntlet::Flag>> ListSchedulerFlags(
    const std::string& path, absl::Duration timeout) {
  absl::StatusOr<CommandOutput> output =
      RunCommand({.argv = {path, kOption}}, timeout, kMaxListBytes);
  if (absl::IsDeadlineExceeded(output.status())) {
    return Bad(path, absl::StrCat("did not end within ",
                                  absl::FormatDuration(timeout)));
  }
  if (!output.ok()) return Bad(path, output.status().message());
  if (!output->exit.ok()) {
    std::string said = results::PrintableLine(output->err, 200);
    return Bad(path, absl::StrCat("ended with ", output->exit.ToString(),
                                  said.empty() ? "" : ": ", said,
                                  "; a scheduler without flags of this kind is "
                                  "verified without --all-profiles"));
  }
  absl::StatusOr<std::vector<gauntlet::Flag>> flags =
      ParseSchedulerFlags(output->out);
  if (!flags.ok()) return Bad(path, flags.status().message());
  return flags;
}

}  // namespace ktstr::ktstrctl
