// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/git_source.h"

#include <stdlib.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "kernel/make_runner.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kMaxRefInKey = 60;
constexpr size_t kMaxRefBytes = 1000;
// Several patterns are asked for; nothing else is listened to.
constexpr size_t kMaxLines = 1000;

bool IsHash(absl::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

// What git itself forbids in names of refs, and what makes patterns of them.
bool IsPlainRef(absl::string_view ref) {
  return !ref.empty() && ref.size() <= kMaxRefBytes && ref[0] != '-' &&
         !absl::StrContains(ref, "..") &&
         std::none_of(ref.begin(), ref.end(), [](unsigned char c) {
           return c <= ' ' || c == 0x7f ||
                  absl::StrContains(
                      "~^:?*[\\",
                      absl::string_view(reinterpret_cast<const char*>(&c), 1));
         });
}

// git, alone with what it is told: a caller that is itself run by git (a hook)
// has variables for another repository.
CommandSpec Git(std::vector<std::string> args) {
  CommandSpec command;
  command.argv = {"env", "-u", "GIT_DIR", "-u", "GIT_INDEX_FILE", "-u",
                  "GIT_OBJECT_DIRECTORY", "-u", "GIT_WORK_TREE", "git",
                  // Nobody's programs, and an end when the server is silent.
                  "-c", "core.hooksPath=/dev/null", "-c",
                  "http.lowSpeedLimit=1024", "-c", "http.lowSpeedTime=30"};
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  command.extra_env = {"LC_ALL=C", "GIT_TERMINAL_PROMPT=0"};
  if (getenv("GIT_SSH_COMMAND") == nullptr && getenv("GIT_SSH") == nullptr) {
    command.extra_env.push_back(
        "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=10");
  }
  return command;
}

// Runs it; the lines it printed.
absl::StatusOr<std::vector<std::string>> RunGit(std::vector<std::string> args,
                                                const std::string& what,
                                                int cancel_fd) {
  std::vector<std::string> lines;
  const absl::Status ran =
      RunMake({.command = Git(std::move(args)),
               .what = what,
               .cancel_fd = cancel_fd,
               .on_line = [&lines](absl::string_view line) {
                 if (lines.size() < kMaxLines) lines.emplace_back(line);
               }});
  if (ran.ok()) return lines;
  if (absl::IsCancelled(ran)) return ran;
  return absl::UnavailableError(absl::StrCat(
      what, ": ",
      lines.empty() ? std::string(ran.message()) : absl::StrJoin(lines, "; ")));
}

}  // namespace

absl::StatusOr<GitCommit> ResolveGitRef(const std::string& url,
                                        const std::string& ref, int cancel_fd) {
  if (url.empty() || url[0] == '-' || !IsPlainRef(ref)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel git+", url, "#", ref,
        ": a repository and the name of a branch or tag, or a whole hash, are "
        "accepted"));
  }
  if (IsHash(ref)) return GitCommit{url, ref, ref};
  // In git's own order; a tag object counts as the commit it names.
  std::vector<std::string> names = {absl::StrCat("refs/tags/", ref, "^{}"),
                                    absl::StrCat("refs/tags/", ref),
                                    absl::StrCat("refs/heads/", ref)};
  if (absl::StartsWith(ref, "refs/") || ref == "HEAD") {
    names = {absl::StrCat(ref, "^{}"), ref};
  }
  std::vector<std::string> args = {"ls-remote", "--quiet", "--", url};
  args.insert(args.end(), names.begin(), names.end());
  ABSL_ASSIGN_OR_RETURN(
      std::vector<std::string> lines,
      RunGit(std::move(args), absl::StrCat("asking ", url, " for ", ref),
             cancel_fd));
  std::map<std::string, std::string> hashes;
  for (const std::string& line : lines) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits('\t', 1));
    if (IsHash(parts.first)) hashes[parts.second] = parts.first;
  }
  for (const std::string& name : names) {
    auto it = hashes.find(name);
    if (it == hashes.end()) continue;
    return GitCommit{url, std::string(absl::StripSuffix(name, "^{}")),
                     it->second};
  }
  return absl::NotFoundError(
      absl::StrCat(url, " has no tag and no branch ", ref,
                   " (a commit is named by its whole hash)"));
}

absl::Status FetchGitCommit(const GitCommit& commit,
                            const std::string& repository, int cancel_fd) {
  ABSL_RETURN_IF_ERROR(MakeDirs(std::string(Dirname(repository))));
  const std::string what =
      absl::StrCat("getting ", commit.ref, " of ", commit.url);
  ABSL_RETURN_IF_ERROR(
      RunGit({"init", "--quiet", "--bare", "--", repository}, what, cancel_fd)
          .status());
  // What a killed git leaves would stop the next one.
  for (const char* lock :
       {"shallow.lock", "index.lock", "HEAD.lock", "refs/ktstr/fetched.lock"}) {
    ABSL_RETURN_IF_ERROR(RemoveTree(JoinPath(repository, lock)));
  }
  const std::string git_dir = absl::StrCat("--git-dir=", repository);
  ABSL_RETURN_IF_ERROR(
      RunGit({git_dir, "fetch", "--quiet", "--depth=1", "--no-tags",
              "--no-write-fetch-head", "--update-shallow", "--", commit.url,
              absl::StrCat("+", commit.ref, ":refs/ktstr/fetched")},
             what, cancel_fd)
          .status());
  ABSL_ASSIGN_OR_RETURN(
      std::vector<std::string> lines,
      RunGit({git_dir, "rev-parse", "--verify", "refs/ktstr/fetched^{commit}"},
             what, cancel_fd));
  if (lines.empty() || lines[0] != commit.hash) {
    return absl::UnavailableError(absl::StrCat(
        what, ": it has become another commit (", lines.empty() ? "" : lines[0],
        ") since it was asked for; the next try takes that"));
  }
  return absl::OkStatus();
}

std::vector<std::string> CheckoutCommand(const std::string& repository,
                                         const std::string& hash,
                                         const std::string& copy) {
  return Git({absl::StrCat("--git-dir=", repository),
              absl::StrCat("--work-tree=", copy), "-c", "core.bare=false",
              "checkout", "--quiet", "--force", "--detach", hash})
      .argv;
}

std::string RefInKey(absl::string_view ref) {
  for (absl::string_view prefix : {"refs/tags/", "refs/heads/", "refs/"}) {
    if (absl::ConsumePrefix(&ref, prefix)) break;
  }
  std::string text(ref.substr(0, kMaxRefInKey));
  for (char& c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' &&
        c != '_' && c != '+') {
      c = '-';
    }
  }
  if (text.empty() || text[0] == '.') text = "ref-" + text;
  return text;
}

}  // namespace ktstr::kernel
