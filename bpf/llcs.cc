// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "bpf/llcs.h"

#include <map>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::bpf {
namespace {

absl::StatusOr<std::string> ReadLine(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<std::vector<int>> ReadCpuList(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadLine(path));
  absl::StatusOr<std::vector<int>> cpus = ParseCpuList(text);
  if (!cpus.ok()) return Annotate(cpus.status(), path);
  if (cpus->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " names no CPU"));
  }
  return cpus;
}

// The lowest CPU of those that share the last-level cache with `cpu`.
absl::StatusOr<int> FirstCpuOfLlc(const std::string& cpu_dir, int cpu) {
  std::string dir = JoinPath(cpu_dir, absl::StrCat("cpu", cpu, "/cache"));
  absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
  if (!names.ok()) return Annotate(names.status(), "caches of a CPU");
  std::string last;
  int highest = 0;
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, "index")) continue;
    std::string cache = JoinPath(dir, name);
    ABSL_ASSIGN_OR_RETURN(std::string text, ReadLine(JoinPath(cache, "level")));
    int level;
    if (!absl::SimpleAtoi(text, &level) || level < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(cache, "/level: \"", text, "\" is no level"));
    }
    if (level > highest) {
      highest = level;
      last = cache;
    }
  }
  if (last.empty()) {
    return absl::NotFoundError(absl::StrCat(dir, " names no cache"));
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<int> sharing,
                        ReadCpuList(JoinPath(last, "shared_cpu_list")));
  return sharing.front();
}

}  // namespace

absl::StatusOr<Llcs> ReadLlcs(const std::string& cpu_dir) {
  ABSL_ASSIGN_OR_RETURN(std::vector<int> possible,
                        ReadCpuList(JoinPath(cpu_dir, "possible")));
  ABSL_ASSIGN_OR_RETURN(std::vector<int> online,
                        ReadCpuList(JoinPath(cpu_dir, "online")));
  Llcs llcs;
  llcs.of_cpu.resize(possible.back() + 1);
  std::map<int, int> numbers;  // of caches, by their lowest CPU
  for (int cpu : online) {
    if (cpu > possible.back()) {
      return absl::InvalidArgumentError(
          absl::StrCat(cpu_dir, ": CPU ", cpu, " is online but not possible"));
    }
    ABSL_ASSIGN_OR_RETURN(int first, FirstCpuOfLlc(cpu_dir, cpu));
    auto [entry, is_unseen] = numbers.emplace(first, llcs.count);
    if (is_unseen) ++llcs.count;
    llcs.of_cpu[cpu] = entry->second;
  }
  return llcs;
}

}  // namespace ktstr::bpf
