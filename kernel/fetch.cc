// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/fetch.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "kernel/make_runner.h"

namespace ktstr::kernel {
namespace {

// "5 no such file" -> NotFound.
absl::Status ParseError(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  int code = 0;
  if (!absl::SimpleAtoi(parts.first, &code) || code <= 0 ||
      code > static_cast<int>(absl::StatusCode::kUnauthenticated)) {
    return absl::InternalError(text);
  }
  return absl::Status(static_cast<absl::StatusCode>(code), parts.second);
}

void Report(const FetchRequest& request, absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  uint64_t done = 0, total = 0;
  if (request.on_progress && absl::SimpleAtoi(parts.first, &done) &&
      absl::SimpleAtoi(parts.second, &total)) {
    request.on_progress(done, total);
  }
}

}  // namespace

absl::Status Fetch(const FetchRequest& request) {
  if (request.program.empty()) {
    return absl::UnavailableError(absl::StrCat(
        request.url, ": there is no program ktstr_fetch to get it with"));
  }
  CommandSpec command;
  command.argv = {request.program,
                  absl::StrCat("--max-bytes=", request.max_bytes)};
  if (request.resume) command.argv.push_back("--resume");
  command.argv.insert(command.argv.end(), {"--", request.url, request.path});
  absl::Status error;
  const absl::Status ran =
      RunMake({.command = std::move(command),
               .what = "getting " + request.url,
               .cancel_fd = request.cancel_fd,
               .on_line = [&request, &error](absl::string_view line) {
                 if (absl::ConsumePrefix(&line, "progress "))
                   Report(request, line);
                 if (absl::ConsumePrefix(&line, "error "))
                   error = ParseError(line);
               }});
  if (absl::IsNotFound(ran)) {
    return absl::UnavailableError(
        absl::StrCat(request.url, ": ", ran.message()));
  }
  return ran.ok() || error.ok() ? ran : error;
}

}  // namespace ktstr::kernel
