// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/elf_libraries.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "model/topology.h"
#include "proto/suite.pb.h"
#include "results/printable.h"

namespace ktstr::ktstrctl {
namespace {

constexpr size_t kMaxListBytes = 16u << 20;
constexpr int kFormatVersion = 1;

absl::Status NotASuite(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is not a ktstr suite: ", why));
}

std::string FirstLine(const std::string& text) {
  std::string line = results::PrintableLine(text.substr(0, text.find('\n')),
                                            /*max_bytes=*/200);
  return line.empty() ? "" : absl::StrCat(" (", line, ")");
}

absl::Status CheckTest(const v1::TestDescription& test,
                       const std::string& path) {
  auto bad = [&](absl::string_view rule) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": test \"",
                     results::PrintableLine(test.name(), 100), "\" ", rule));
  };
  if (test.name().empty() || test.name().size() > 200) {
    return bad("must have a name of 1 to 200 characters");
  }
  if (test.name().find_first_of("/\\") != std::string::npos) {
    return bad("must not have '/' or '\\' in its name");
  }
  for (unsigned char c : test.name()) {
    if (c <= ' ' || c == 0x7F) return bad("must not have spaces in its name");
  }
  absl::StatusOr<Topology> topology = Topology::Parse(test.topology());
  if (!topology.ok()) {
    return bad(
        absl::StrCat("has a bad topology: ", topology.status().message()));
  }
  if (test.memory_mib() < 0 || test.workers_per_cgroup() < 0) {
    return bad("has a negative memory size or number of workers");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> RealPath(const std::string& path,
                                     absl::string_view what) {
  std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr),
                                              &free);
  if (real == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " ", path, ": ", strerror(errno)));
  }
  struct stat info;
  if (stat(real.get(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " ", path, " is a directory, not a program"));
  }
  return std::string(real.get());
}

absl::Status CheckDescription(const v1::SuiteDescription& description,
                              const std::string& path) {
  if (description.format_version() != kFormatVersion) {
    return NotASuite(
        path, description.format_version() == 0
                  ? "its --ktstr-list output is no suite description"
                  : absl::StrCat("its description has format ",
                                 description.format_version(),
                                 ", this program reads ", kFormatVersion));
  }
  if (description.arch() != "x86_64") {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " was compiled for ",
                     results::PrintableLine(description.arch(), 50),
                     ", this fleet runs x86_64"));
  }
  if (description.tests().empty()) return NotASuite(path, "it has no tests");
  std::set<std::string> names;
  for (const v1::TestDescription& test : description.tests()) {
    ABSL_RETURN_IF_ERROR(CheckTest(test, path));
    if (!names.insert(test.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": two tests are called ", test.name()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SuiteDescription> ListSuite(const std::string& path,
                                               absl::Duration timeout) {
  ABSL_ASSIGN_OR_RETURN(std::string real, RealPath(path, "suite"));
  if (absl::Status elf = CheckElfExecutable(real); !elf.ok()) {
    return absl::InvalidArgumentError(elf.message());
  }
  absl::StatusOr<CommandOutput> output =
      RunCommand({.argv = {real, "--ktstr-list"}}, timeout, kMaxListBytes);
  if (absl::IsDeadlineExceeded(output.status())) {
    return NotASuite(path, absl::StrCat("--ktstr-list did not end within ",
                                        absl::FormatDuration(timeout)));
  }
  if (absl::IsResourceExhausted(output.status())) {
    return NotASuite(path, "--ktstr-list printed more than 16 MiB");
  }
  if (!output.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("suite ", path, ": ", output.status().message()));
  }
  if (!output->exit.ok()) {
    return NotASuite(
        path, absl::StrCat("--ktstr-list ended with ", output->exit.ToString(),
                           FirstLine(output->err)));
  }
  v1::SuiteDescription description;
  if (!description.ParseFromString(output->out)) {
    return NotASuite(path, "its --ktstr-list output is no suite description");
  }
  ABSL_RETURN_IF_ERROR(CheckDescription(description, path));
  return description;
}

}  // namespace ktstr::ktstrctl
