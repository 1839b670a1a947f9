// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/schedulers.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/elf_libraries.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstrctl/suite.h"

namespace ktstr::ktstrctl {
namespace {

constexpr char kDefaultScheduler[] = "default";
constexpr char kOutDir[] = "out";

struct Found {
  std::string path;
  v1::ProgramOrigin origin = v1::PROGRAM_ORIGIN_UNSPECIFIED;
};

// NAME=PATH taken apart; nothing for a path or a name.
std::optional<std::pair<std::string, std::string>> SplitOverride(
    const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || FileExists(text) ||
      text.find('/') < equals) {
    return std::nullopt;
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

class Adder {
 public:
  Adder(const SchedulerChoices& choices,
        const std::vector<kernel::ResolvedKernel>& kernels,
        v1::SubmitRequest& request, Artifacts& artifacts)
      : choices_(choices),
        kernels_(kernels),
        request_(request),
        artifacts_(artifacts) {}

  absl::Status Run() {
    ABSL_RETURN_IF_ERROR(CollectDeclared());
    ABSL_RETURN_IF_ERROR(AddGiven());
    ABSL_RETURN_IF_ERROR(AddDeclared());
    return AddConfigFiles();
  }

 private:
  // A scheduler with a program, as suites declare it.
  struct Declared {
    std::string binary;
    std::vector<std::string> suite_dirs;  // without repetition
  };

  absl::Status CollectDeclared() {
    for (int i = 0; i < request_.suites_size(); ++i) {
      for (const auto& test : request_.suites(i).description().tests()) {
        if (test.scheduler().binary().empty()) continue;
        auto [it, is_new] = declared_.try_emplace(test.scheduler().name());
        Declared& declared = it->second;
        if (is_new) declared.binary = test.scheduler().binary();
        if (declared.binary != test.scheduler().binary()) {
          return absl::InvalidArgumentError(
              absl::StrCat("tests declare two schedulers ", it->first,
                           ", with program ", declared.binary,
                           " and with program ", test.scheduler().binary()));
        }
        const std::string& dir = choices_.suite_dirs[i];
        if (declared.suite_dirs.empty() || declared.suite_dirs.back() != dir) {
          declared.suite_dirs.push_back(dir);
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddGiven() {
    std::set<std::string> names;
    bool has_program = false;
    for (const std::string& text : choices_.given) {
      if (auto named = SplitOverride(text)) {
        ABSL_RETURN_IF_ERROR(AddOverride(named->first, named->second));
        has_program = true;
        continue;
      }
      v1::SchedulerSpec& scheduler = *request_.add_schedulers();
      if (text == kDefaultScheduler) {
        scheduler.set_name(kDefaultScheduler);
      } else {
        ABSL_ASSIGN_OR_RETURN(Found found, FindGiven(text));
        scheduler.set_name(std::string(Basename(found.path)));
        ABSL_RETURN_IF_ERROR(AddProgram(found, scheduler));
        has_program = true;
      }
      if (!names.insert(scheduler.name()).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("two schedulers are called ", scheduler.name()));
      }
    }
    if (!choices_.args.empty() && !has_program && declared_.empty()) {
      return absl::InvalidArgumentError(
          "--scheduler-arg needs a scheduler that is a program");
    }
    return absl::OkStatus();
  }

  absl::Status AddOverride(const std::string& name, const std::string& path) {
    const std::string option = absl::StrCat("--scheduler ", name, "=", path);
    if (declared_.find(name) == declared_.end()) {
      std::set<std::string> known;
      for (const auto& [declared, ignored] : declared_) known.insert(declared);
      return absl::InvalidArgumentError(absl::StrCat(
          option, ": no test declares scheduler ", name, "; declared are ",
          known.empty() ? "none" : absl::StrJoin(known, ", ")));
    }
    if (!overridden_.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(option, ": scheduler ", name, " is given twice"));
    }
    ABSL_ASSIGN_OR_RETURN(std::string real, RealPath(path, option));
    v1::SchedulerSpec& scheduler = *request_.add_declared_schedulers();
    scheduler.set_name(name);
    return AddProgram({.path = real, .origin = v1::GIVEN}, scheduler);
  }

  // What is meant by a path, or a name among those built with the kernels.
  absl::StatusOr<Found> FindGiven(const std::string& text) {
    if (absl::StrContains(text, "/") || FileExists(text)) {
      ABSL_ASSIGN_OR_RETURN(std::string real, RealPath(text, "scheduler"));
      return Found{.path = real, .origin = v1::GIVEN};
    }
    if (std::optional<std::string> path = BuiltWithKernel(text)) {
      return Found{.path = *path, .origin = v1::BUILT_WITH_KERNEL};
    }
    std::set<std::string> known = {kDefaultScheduler};
    for (const kernel::ResolvedKernel& kernel : kernels_) {
      for (const std::string& path : kernel.schedulers) {
        known.emplace(Basename(path));
      }
    }
    return absl::InvalidArgumentError(
        absl::StrCat("scheduler \"", text, "\" is neither a file nor one of ",
                     absl::StrJoin(known, ", "), " (built with the kernel)"));
  }

  std::optional<std::string> BuiltWithKernel(const std::string& name) {
    for (const kernel::ResolvedKernel& kernel : kernels_) {
      absl::StatusOr<std::string> found = kernel::FindScheduler(kernel, name);
      if (found.ok()) return *found;
    }
    return std::nullopt;
  }

  absl::Status AddProgram(const Found& found, v1::SchedulerSpec& scheduler) {
    if (absl::Status elf = CheckElfExecutable(found.path); !elf.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("scheduler ", elf.message()));
    }
    ABSL_ASSIGN_OR_RETURN(*scheduler.mutable_binary(),
                          artifacts_.Add(found.path));
    scheduler.set_origin(found.origin);
    scheduler.set_found_at(found.path);
    for (const std::string& arg : choices_.args) scheduler.add_args(arg);
    return AddLibraries(found.path, artifacts_, *scheduler.mutable_libraries());
  }

  absl::Status AddDeclared() {
    if (request_.schedulers_size() > 0) return absl::OkStatus();
    for (const auto& [name, declared] : declared_) {
      if (overridden_.count(name) > 0) continue;
      std::string why_missing;
      std::optional<Found> found = FindDeclared(declared, why_missing);
      if (!found) {
        v1::MissingScheduler& missing = *request_.add_missing_schedulers();
        missing.set_name(name);
        missing.set_reason(absl::StrCat(why_missing, "; --scheduler ", name,
                                        "=PATH names another place"));
        continue;
      }
      v1::SchedulerSpec& scheduler = *request_.add_declared_schedulers();
      scheduler.set_name(name);
      ABSL_RETURN_IF_ERROR(AddProgram(*found, scheduler));
    }
    return absl::OkStatus();
  }

  std::optional<Found> FindDeclared(const Declared& declared,
                                    std::string& why_missing) {
    const std::string& binary = declared.binary;
    auto is_file = [](const std::string& path, v1::ProgramOrigin origin) {
      absl::StatusOr<std::string> real = RealPath(path, "scheduler");
      return real.ok() ? std::optional<Found>({*real, origin}) : std::nullopt;
    };
    if (absl::StrContains(binary, "/")) {
      why_missing = absl::StrCat("there is no file ", binary);
      return is_file(InWorkingDir(binary), v1::DECLARED_PATH);
    }
    for (const std::string& dir : declared.suite_dirs) {
      if (auto found = is_file(JoinPath(dir, binary), v1::BESIDE_SUITE)) {
        return found;
      }
    }
    const std::string out = InWorkingDir(kOutDir);
    if (auto found = is_file(JoinPath(out, binary), v1::OUT_DIRECTORY)) {
      return found;
    }
    if (std::optional<std::string> path = BuiltWithKernel(binary)) {
      return Found{.path = *path, .origin = v1::BUILT_WITH_KERNEL};
    }
    why_missing =
        absl::StrCat("program ", binary, " is neither beside the suite (",
                     absl::StrJoin(declared.suite_dirs, ", "),
                     ") nor in out/ nor built with the kernel");
    return std::nullopt;
  }

  absl::Status AddConfigFiles() {
    for (int i = 0; i < request_.suites_size(); ++i) {
      v1::SubmittedSuite& suite = *request_.mutable_suites(i);
      std::set<std::string> seen;
      for (const auto& test : suite.description().tests()) {
        const std::string& declared = test.scheduler().config_file();
        if (declared.empty() || !seen.insert(declared).second) continue;
        ABSL_ASSIGN_OR_RETURN(
            std::string path,
            FindConfigFile(declared, choices_.suite_dirs[i], test));
        v1::ConfigFile& file = *suite.add_config_files();
        file.set_declared_path(declared);
        ABSL_ASSIGN_OR_RETURN(*file.mutable_content(), artifacts_.Add(path));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> FindConfigFile(
      const std::string& declared, const std::string& suite_dir,
      const v1::TestDescription& test) const {
    std::vector<std::string> places = {InWorkingDir(declared)};
    if (declared[0] != '/') places.push_back(JoinPath(suite_dir, declared));
    for (const std::string& place : places) {
      absl::StatusOr<std::string> real = RealPath(place, "config_file");
      if (real.ok()) return real;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "test ", test.name(), ": config_file ", declared, " of scheduler ",
        test.scheduler().name(), " is not there; looked for ",
        absl::StrJoin(places, " and ")));
  }

  std::string InWorkingDir(const std::string& path) const {
    if (path[0] == '/' || choices_.working_dir == ".") return path;
    return JoinPath(choices_.working_dir, path);
  }

  const SchedulerChoices& choices_;
  const std::vector<kernel::ResolvedKernel>& kernels_;
  v1::SubmitRequest& request_;
  Artifacts& artifacts_;
  std::map<std::string, Declared> declared_;  // by name
  std::set<std::string> overridden_;
};

}  // namespace

absl::Status AddSchedulers(const SchedulerChoices& choices,
                           const std::vector<kernel::ResolvedKernel>& kernels,
                           v1::SubmitRequest& request, Artifacts& artifacts) {
  return Adder(choices, kernels, request, artifacts).Run();
}

absl::Status AddLibraries(
    const std::string& path, Artifacts& artifacts,
    google::protobuf::RepeatedPtrField<v1::GuestFile>& files) {
  absl::StatusOr<std::vector<ElfLibrary>> libraries = ElfLibrariesOf(path);
  if (!libraries.ok()) {
    return absl::InvalidArgumentError(libraries.status().message());
  }
  for (const ElfLibrary& library : *libraries) {
    v1::GuestFile& file = *files.Add();
    ABSL_ASSIGN_OR_RETURN(*file.mutable_content(),
                          artifacts.Add(library.host_path));
    file.set_guest_path(library.guest_path);
    file.set_is_executable(true);
  }
  return absl::OkStatus();
}

}  // namespace ktstr::ktstrctl
