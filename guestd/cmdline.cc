// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/cmdline.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "model/guest_layout.h"

namespace ktstr::guestd {
namespace {

std::vector<absl::string_view> Words(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
}

}  // namespace

Cmdline ParseCmdline(absl::string_view text) {
  Cmdline cmdline;
  for (absl::string_view word : Words(text)) {
    std::pair<absl::string_view, absl::string_view> entry =
        absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (entry.first == kCmdlineEpoch &&
        !absl::SimpleAtoi(entry.second, &cmdline.epoch)) {
      cmdline.epoch = 0;
    }
    if (entry.first == kCmdlineNonce) cmdline.nonce = std::string(entry.second);
  }
  return cmdline;
}

std::string ModuleParameters(absl::string_view cmdline,
                             absl::string_view module) {
  std::string wanted = absl::StrReplaceAll(module, {{"-", "_"}});
  std::string parameters;
  for (absl::string_view word : Words(cmdline)) {
    size_t dot = word.find('.');
    if (dot == absl::string_view::npos || word.find('=') < dot) continue;
    if (absl::StrReplaceAll(word.substr(0, dot), {{"-", "_"}}) != wanted) {
      continue;
    }
    absl::StrAppend(&parameters, parameters.empty() ? "" : " ",
                    word.substr(dot + 1));
  }
  return parameters;
}

}  // namespace ktstr::guestd
