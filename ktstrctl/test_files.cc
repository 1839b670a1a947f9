// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/test_files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "gauntlet/filter.h"
#include "ktstrctl/include_files.h"

namespace ktstr::ktstrctl {
namespace {

// Longer names of files than artifacts may have.
constexpr size_t kMaxArtifactName = 200;

// In the order of their declaration.
std::vector<IncludeWord> WordsOf(const v1::TestDescription& test,
                                 const std::string& suite_dir) {
  std::vector<IncludeWord> words;
  for (const v1::PayloadDescription& payload : test.payloads()) {
    const std::string origin =
        absl::StrCat("test ", test.name(), ", payload ", payload.name(), ":");
    words.push_back({.word = payload.binary(),
                     .origin = origin,
                     .beside = suite_dir,
                     .is_program = true});
    for (const std::string& file : payload.include_files()) {
      words.push_back({.word = file, .origin = origin, .beside = suite_dir});
    }
  }
  for (const std::string& file : test.extra_include_files()) {
    words.push_back(
        {.word = file,
         .origin = absl::StrCat("test ", test.name(), ", extra_include_files:"),
         .beside = suite_dir});
  }
  // It comes by itself, but its place is taken.
  const v1::SchedulerDescription& scheduler = test.scheduler();
  if (!words.empty() && !scheduler.config_file().empty()) {
    words.insert(words.begin(),
                 {.word = scheduler.config_file(),
                  .origin = absl::StrCat("test ", test.name(),
                                         ", config_file of scheduler ",
                                         scheduler.name(), ":"),
                  .beside = suite_dir});
  }
  return words;
}

// Patterns that have a '/' may mean variants of any test.
bool MayBeWanted(const std::vector<std::string>& filters) {
  return std::any_of(
      filters.begin(), filters.end(), [](const std::string& pattern) {
        return pattern.find_first_of("/*?[") != std::string::npos;
      });
}

absl::Status AddFiles(const std::vector<IncludedFile>& files,
                      Artifacts& artifacts, v1::TestFiles& to) {
  for (const IncludedFile& file : files) {
    v1::GuestFile& added = *to.add_files();
    std::string name(Basename(file.guest_path));
    if (name.size() > kMaxArtifactName) name = "file";
    ABSL_ASSIGN_OR_RETURN(*added.mutable_content(),
                          artifacts.Add(file.host_path, name));
    added.set_guest_path(file.guest_path);
    added.set_is_executable(file.is_executable);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddTestFiles(const TestFileOptions& options,
                          v1::SubmitRequest& request, Artifacts& artifacts) {
  gauntlet::Filter filter(options.filters);
  const bool may_be_wanted = MayBeWanted(options.filters);
  for (int i = 0; i < request.suites_size(); ++i) {
    v1::SubmittedSuite& suite = *request.mutable_suites(i);
    for (const v1::TestDescription& test : suite.description().tests()) {
      std::vector<IncludeWord> words = WordsOf(test, options.suite_dirs[i]);
      if (words.empty()) continue;
      const bool is_wanted =
          filter.Wants(test.name(), test.name(), test.ignored_by_default());
      if (!is_wanted && !may_be_wanted) continue;
      v1::TestFiles& files = *suite.add_test_files();
      files.set_test(test.name());
      absl::StatusOr<std::vector<IncludedFile>> found =
          CollectIncludeFiles(words, options.search_path);
      if (found.ok()) {
        ABSL_RETURN_IF_ERROR(AddFiles(*found, artifacts, files));
      } else if (is_wanted) {
        return found.status();
      } else {
        files.set_missing(std::string(found.status().message()));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace ktstr::ktstrctl
