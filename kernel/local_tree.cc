// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/local_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"

namespace ktstr::kernel {
namespace {

constexpr absl::Duration kGitPatience = absl::Minutes(5);
constexpr uint64_t kMaxMakefileBytes = uint64_t{1} << 20;
// What every kernel since 2.6 has, and hardly anything else.
constexpr const char* kLandmarks[] = {"Makefile", "Kconfig", "kernel/sched",
                                      "include/linux"};
// What a build leaves that another one would take for its own.
constexpr const char* kProducts[] = {
    "/.git",
    ".*.cmd",
    "*.o",
    "*.a",
    "*.ko",
    "*.mod",
    "*.mod.c",
    "*.symvers",
    "/.config",
    "/.config.old",
    "/include/config",
    "/include/generated",
    "/arch/*/include/generated",
    "/vmlinux",
    "/System.map",
    // With their headers: the library alone counts as built for make.
    "/tools/bpf/resolve_btfids/libbpf",
    "/tools/bpf/resolve_btfids/libsubcmd",
    "/tools/objtool/libsubcmd",
    "/tools/sched_ext/build",
    "modules.order",
    "modules.builtin",
};

// git on the tree at `root`, whoever owns it, and on no other that the caller's
// environment may name ($GIT_DIR, as in a hook).
absl::StatusOr<CommandOutput> Git(const std::string& root,
                                  std::vector<std::string> args) {
  CommandSpec command;
  command.argv = {"git",
                  "-c",
                  absl::StrCat("safe.directory=", root),
                  "-C",
                  root,
                  absl::StrCat("--git-dir=", root, "/.git"),
                  absl::StrCat("--work-tree=", root)};
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  command.extra_env = {"GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"};
  absl::StatusOr<CommandOutput> output = RunCommand(command, kGitPatience);
  if (!output.ok()) {
    return absl::UnavailableError(
        absl::StrCat("git in ", root, ": ", output.status().message()));
  }
  return output;
}

absl::Status ReadCommit(LocalTree& tree) {
  // A tree inside of somebody else's repository is not a checkout of its own.
  if (!FileExists(JoinPath(tree.root, ".git"))) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(CommandOutput head,
                        Git(tree.root, {"rev-parse", "--verify", "HEAD"}));
  if (!head.exit.ok()) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(CommandOutput status,
                        Git(tree.root, {"status", "--porcelain"}));
  if (!status.exit.ok()) {
    return absl::UnavailableError(
        absl::StrCat("git status in ", tree.root, ": ",
                     absl::StripAsciiWhitespace(status.err)));
  }
  tree.commit = std::string(absl::StripAsciiWhitespace(head.out));
  tree.is_dirty = !status.out.empty();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> MakefileVersion(absl::string_view makefile) {
  std::map<std::string, std::string> values;
  for (absl::string_view line : absl::StrSplit(makefile, '\n')) {
    const size_t equals = line.find('=');
    if (equals == line.npos) continue;
    const absl::string_view name =
        absl::StripAsciiWhitespace(line.substr(0, equals));
    // The first assignment is the one at the head of the file.
    values.emplace(name, absl::StripAsciiWhitespace(line.substr(equals + 1)));
  }
  if (values["VERSION"].empty() || values["PATCHLEVEL"].empty()) {
    return absl::NotFoundError("the Makefile states no kernel version");
  }
  std::string version =
      absl::StrCat(values["VERSION"], ".", values["PATCHLEVEL"]);
  const std::string& sublevel = values["SUBLEVEL"];
  if (!sublevel.empty() && sublevel != "0") {
    absl::StrAppend(&version, ".", sublevel);
  }
  return version + values["EXTRAVERSION"];
}

absl::StatusOr<LocalTree> InspectLocalTree(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return absl::NotFoundError(
        absl::StrCat("kernel source tree ", path, " is no directory"));
  }
  LocalTree tree;
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return absl::ErrnoToStatus(errno, path);
  tree.root = real;
  free(real);
  for (const char* landmark : kLandmarks) {
    if (!FileExists(JoinPath(tree.root, landmark))) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, " is no kernel source tree: it has no ", landmark));
    }
  }
  ABSL_ASSIGN_OR_RETURN(
      std::string makefile,
      ReadFile(JoinPath(tree.root, "Makefile"), kMaxMakefileBytes));
  absl::StatusOr<std::string> version = MakefileVersion(makefile);
  if (!version.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is no kernel source tree: ", version.status().message()));
  }
  tree.version = *std::move(version);
  ABSL_RETURN_IF_ERROR(ReadCommit(tree));
  return tree;
}

std::vector<std::string> CopyTreeCommand(const std::string& root,
                                         const std::string& copy) {
  std::vector<std::string> argv = {"rsync", "--archive", "--delete-after"};
  for (const char* product : kProducts) {
    argv.push_back(absl::StrCat("--exclude=", product));
  }
  argv.push_back(absl::StrCat(root, "/"));
  argv.push_back(absl::StrCat(copy, "/"));
  return argv;
}

}  // namespace ktstr::kernel
