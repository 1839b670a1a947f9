// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/e2e/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "gtest/gtest.h"

namespace ktstr::e2e {
namespace {

using ::nlohmann::json;

constexpr absl::string_view kPrograms[] = {"ktstrctl", "coordinator", "hostd",
                                           "vmm"};

std::string RequiredEnv(const char* name) {
  const char* value = getenv(name);
  if (value == nullptr || *value == '\0') {
    fprintf(stderr, "%s is not set; start this program by tests/e2e/run.sh\n",
            name);
    exit(2);
  }
  return value;
}

std::string TextOf(const json& object, const char* key) {
  auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : "";
}

// Logs lie beside the result, in `dir`.
VariantResult ParseResult(const std::string& text, const std::string& dir) {
  VariantResult result;
  result.file = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!result.file.is_object()) return result;
  result.variant = TextOf(result.file, "variant");
  result.test = TextOf(result.file, "test_name");
  result.topology = TextOf(result.file, "topology");
  result.scheduler = TextOf(result.file, "scheduler");
  result.outcome = TextOf(result.file, "outcome");
  result.reason = TextOf(result.file, "reason");
  for (const json& finding : result.file.value("findings", json::array())) {
    result.finding_kinds.push_back(TextOf(finding, "kind"));
    absl::StrAppend(&result.finding_text, TextOf(finding, "message"), "\n");
  }
  for (const json& missed : result.file.value("missed", json::array())) {
    if (missed.is_string()) result.missed.push_back(missed.get<std::string>());
  }
  if (result.file.contains("host") && result.file["host"].is_object()) {
    result.host_id = TextOf(result.file["host"], "host_id");
  }
  if (result.file.contains("scheduler_exit") &&
      result.file["scheduler_exit"].is_object()) {
    result.scheduler_exit = TextOf(result.file["scheduler_exit"], "kind");
  }
  if (result.file.contains("logs") && result.file["logs"].is_object()) {
    auto read = [&](const char* kind) -> std::string {
      std::string name = TextOf(result.file["logs"], kind);
      return name.empty() ? "" : ReadFile(JoinPath(dir, name)).value_or("");
    };
    result.scheduler_log = read("scheduler");
    result.dump = read("dump");
    result.console = read("console");
  }
  return result;
}

void CollectResults(const std::string& dir,
                    std::vector<VariantResult>& results) {
  absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    std::string path = JoinPath(dir, name);
    if (absl::EndsWith(name, ".ktstr.json")) {
      absl::StatusOr<std::string> text = ReadFile(path);
      if (text.ok()) results.push_back(ParseResult(*text, dir));
    } else if (ListDir(path).ok()) {
      CollectResults(path, results);
    }
  }
}

// Every path below `root`, without following links, at most four levels deep.
void CollectPaths(const std::string& root, int depth,
                  std::set<std::string>& paths) {
  absl::StatusOr<std::vector<std::string>> names = ListDir(root);
  if (!names.ok() || depth == 0) return;
  for (const std::string& name : *names) {
    std::string path = JoinPath(root, name);
    paths.insert(path);
    CollectPaths(path, depth - 1, paths);
  }
}

std::string CommOf(absl::string_view pid) {
  absl::StatusOr<std::string> comm =
      ReadFile(absl::StrCat("/proc/", pid, "/comm"));
  return comm.ok() ? std::string(absl::StripSuffix(*comm, "\n")) : "";
}

// A zombie has ended; only its parent has not looked yet.
bool IsZombie(absl::string_view pid) {
  absl::StatusOr<std::string> stat =
      ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  return !stat.ok() || absl::StrContains(*stat, ") Z ");
}

void Append(absl::string_view what, const std::set<std::string>& now,
            const std::set<std::string>& before, std::string& text) {
  for (const std::string& item : now) {
    if (before.count(item) == 0) {
      absl::StrAppend(&text, what, ": ", item, "\n");
    }
  }
}

}  // namespace

std::string Program(absl::string_view name) {
  return JoinPath(RequiredEnv("KTSTR_E2E_BIN"), name);
}
std::string KernelPath() { return RequiredEnv("KTSTR_E2E_KERNEL"); }
std::string SchedulerPath() { return RequiredEnv("KTSTR_E2E_SCHEDULER"); }
std::string DistributionKernelPath() {
  return RequiredEnv("KTSTR_E2E_DISTRIBUTION");
}

std::vector<VariantResult> ReadResults(const std::string& output_dir) {
  std::vector<VariantResult> results;
  CollectResults(output_dir, results);
  std::sort(results.begin(), results.end(),
            [](const VariantResult& a, const VariantResult& b) {
              return a.variant < b.variant;
            });
  return results;
}

VariantResult SubmitRun::Of(absl::string_view test,
                            absl::string_view scheduler) const {
  std::vector<VariantResult> found;
  for (const VariantResult& result : results) {
    if (result.test == test &&
        (scheduler.empty() || result.scheduler == scheduler)) {
      found.push_back(result);
    }
  }
  EXPECT_EQ(found.size(), 1u) << "results of " << test << "\n" << out << err;
  return found.size() == 1 ? found[0] : VariantResult();
}

SubmitRun Submit(std::vector<std::string> args,
                 std::vector<std::string> extra_env, absl::Duration timeout) {
  SubmitRun run;
  absl::StatusOr<TempDir> output = TempDir::Create("e2e-results-");
  if (!output.ok()) {
    ADD_FAILURE() << output.status();
    return run;
  }
  CommandSpec spec;
  spec.argv = {Program("ktstrctl"), "submit"};
  spec.argv.insert(spec.argv.end(), args.begin(), args.end());
  spec.argv.insert(spec.argv.end(), {"--output", output->path()});
  if (std::find(args.begin(), args.end(), "--kernel") == args.end()) {
    spec.argv.insert(spec.argv.end(), {"--kernel", KernelPath()});
  }
  spec.extra_env = std::move(extra_env);
  absl::StatusOr<CommandOutput> finished = RunCommand(spec, timeout);
  if (!finished.ok()) {
    ADD_FAILURE() << finished.status();
    return run;
  }
  run.exit = finished->exit;
  run.out = finished->out;
  run.err = finished->err;
  run.results = ReadResults(output->path());
  return run;
}

std::vector<int> PidsOf(absl::string_view program) {
  std::vector<int> pids;
  absl::StatusOr<std::vector<std::string>> entries = ListDir("/proc");
  if (!entries.ok()) return pids;
  for (const std::string& entry : *entries) {
    int pid = 0;
    if (absl::SimpleAtoi(entry, &pid) && CommOf(entry) == program &&
        !IsZombie(entry)) {
      pids.push_back(pid);
    }
  }
  return pids;
}

Footprint Footprint::Take() {
  Footprint footprint;
  for (absl::string_view program : kPrograms) {
    for (int pid : PidsOf(program)) {
      footprint.processes.insert(absl::StrCat(program, " ", pid));
    }
  }
  CollectPaths("/tmp", 4, footprint.files);
  CollectPaths("/run", 4, footprint.files);
  if (absl::StatusOr<std::string> text = ReadFile("/proc/net/unix");
      text.ok()) {
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      size_t path = line.find(" /");
      if (path != absl::string_view::npos) {
        footprint.sockets.emplace(line.substr(path + 1));
      }
    }
  }
  CollectPaths("/sys/fs/cgroup", 4, footprint.cgroups);
  if (absl::StatusOr<std::string> text = ReadFile("/proc/locks"); text.ok()) {
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      std::vector<absl::string_view> fields =
          absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (fields.size() > 5) footprint.locks.emplace(fields[5]);
    }
  }
  return footprint;
}

std::string Footprint::BeyondThat(const Footprint& before) const {
  std::string text;
  Append("process", processes, before.processes, text);
  Append("file", files, before.files, text);
  Append("socket", sockets, before.sockets, text);
  Append("cgroup", cgroups, before.cgroups, text);
  Append("lock", locks, before.locks, text);
  return text;
}

void AwaitProcessesGone(const Footprint& before, absl::Duration timeout) {
  absl::Time deadline = absl::Now() + timeout;
  for (absl::string_view program : kPrograms) {
    for (int pid : PidsOf(program)) {
      if (before.processes.count(absl::StrCat(program, " ", pid)) != 0) {
        continue;
      }
      UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
      pollfd waited = {.fd = pidfd.get(), .events = POLLIN, .revents = 0};
      int64_t left = std::max<int64_t>(
          0, absl::ToInt64Milliseconds(deadline - absl::Now()));
      if (pidfd) poll(&waited, 1, static_cast<int>(left));
    }
  }
}

absl::StatusOr<Running> Running::Start(std::vector<std::string> argv,
                                       std::vector<std::string> extra_env) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ABSL_ASSIGN_OR_RETURN(UniqueFd null, OpenFile("/dev/null", O_RDONLY));
  CommandSpec spec;
  spec.argv = std::move(argv);
  spec.extra_env = std::move(extra_env);
  spec.inherited_fds = {{null.get(), 0}, {writer.get(), 1}, {writer.get(), 2}};
  ABSL_ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start(spec));
  return Running(std::move(process), std::move(reader));
}

absl::StatusOr<bool> Running::ReadSome(absl::Time deadline) {
  pollfd waited = {.fd = reader_.get(), .events = POLLIN, .revents = 0};
  int64_t left =
      std::max<int64_t>(0, absl::ToInt64Milliseconds(deadline - absl::Now()));
  int ready = poll(&waited, 1, static_cast<int>(left));
  if (ready < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
  if (ready == 0) {
    return absl::DeadlineExceededError(
        absl::StrCat("output so far:\n", output_));
  }
  char buffer[4096];
  ssize_t count = read(reader_.get(), buffer, sizeof(buffer));
  if (count < 0) return absl::ErrnoToStatus(errno, "read");
  output_.append(buffer, count);
  return count > 0;
}

absl::Status Running::AwaitLine(absl::string_view text,
                                absl::Duration timeout) {
  absl::Time deadline = absl::Now() + timeout;
  while (true) {
    size_t found = output_.find(std::string(text), searched_);
    if (found != std::string::npos) {
      searched_ = found + text.size();
      return absl::OkStatus();
    }
    ABSL_ASSIGN_OR_RETURN(bool more, ReadSome(deadline));
    if (!more) {
      return absl::OutOfRangeError(
          absl::StrCat("\"", text, "\" never came; output:\n", output_));
    }
  }
}

absl::StatusOr<ExitStatus> Running::Finish(absl::Duration timeout) {
  absl::Time deadline = absl::Now() + timeout;
  while (true) {
    ABSL_ASSIGN_OR_RETURN(bool more, ReadSome(deadline));
    if (!more) break;
  }
  return process_.WaitFor(deadline - absl::Now());
}

}  // namespace ktstr::e2e
