// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/facts.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/cpu_list.h"
#include "base/file.h"

namespace ktstr::guest {
namespace {

constexpr uint64_t kMaxBytes = 1 << 20;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", text, "\"");
}

}  // namespace

bool Facts::Text(const std::string& file, std::string& text) {
  ++checked_;
  auto bytes = ReadFile(JoinPath(root_, file), kMaxBytes);
  if (!bytes.ok()) {
    Report(absl::StrCat(file, " cannot be read: ", bytes.status().message()));
    return false;
  }
  text = std::string(absl::StripAsciiWhitespace(*bytes));
  return true;
}

void Facts::ExpectText(const std::string& file, absl::string_view declared) {
  std::string text;
  if (!Text(file, text) || text == declared) return;
  Report(absl::StrCat(file, " is ", Quoted(text), ", declared ",
                      Quoted(declared)));
}

void Facts::ExpectNumber(const std::string& file, int64_t declared) {
  ExpectText(file, absl::StrCat(declared));
}

void Facts::ExpectCpus(const std::string& file,
                       const std::vector<int>& declared) {
  std::string text;
  if (!Text(file, text)) return;
  if (text.empty() && declared.empty()) return;
  auto found = ParseCpuList(text);
  if (found.ok() && *found == declared) return;
  Report(absl::StrCat(file, " is ", Quoted(text), ", declared ",
                      Quoted(FormatCpuList(declared))));
}

void Facts::ExpectAbsent(const std::string& file) {
  ++checked_;
  if (FileExists(JoinPath(root_, file))) {
    Report(absl::StrCat(file, " exists but is not declared"));
  }
}

void Facts::ExpectNumbered(const std::string& dir, absl::string_view prefix,
                           const std::vector<int>& declared) {
  ++checked_;
  std::set<int> missing(declared.begin(), declared.end());
  auto names = ListDir(JoinPath(root_, dir));
  if (!names.ok()) {
    Report(absl::StrCat(dir, " cannot be read: ", names.status().message()));
    return;
  }
  for (const std::string& name : *names) {
    absl::string_view rest = name;
    int number = 0;
    if (!absl::ConsumePrefix(&rest, prefix) || rest.empty() ||
        !absl::ascii_isdigit(rest[0]) || !absl::SimpleAtoi(rest, &number)) {
      continue;
    }
    if (missing.erase(number) == 0) {
      Report(absl::StrCat(dir, "/", name, " exists but is not declared"));
    }
  }
  for (int number : missing) {
    Report(absl::StrCat("there is no ", dir, "/", prefix, number));
  }
}

void Facts::ExpectHex(const std::string& what, uint64_t found,
                      uint64_t declared) {
  ++checked_;
  if (found == declared) return;
  Report(absl::StrFormat("%s is %#x, declared %#x", what, found, declared));
}

void Facts::ExpectEqual(const std::string& what, int64_t found,
                        int64_t declared) {
  ++checked_;
  if (found == declared) return;
  Report(absl::StrCat(what, " is ", found, ", declared ", declared));
}

void Facts::Report(std::string difference) {
  differences_.push_back(std::move(difference));
}

}  // namespace ktstr::guest
