// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/testing/command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/status_matchers.h"

namespace ktstr::ktstrctl {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(60);

}  // namespace

std::string CommandLineTest::Built(const std::string& name) {
  char* real = realpath(name.c_str(), nullptr);
  std::string path = real == nullptr ? name : real;
  free(real);
  return path;
}

void CommandLineTest::SetUp() {
  // Short, for socket addresses.
  setenv("TMPDIR", "/tmp", 1);
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("kc-"));
  dir_.emplace(std::move(dir));
  tmp_ = JoinPath(dir_->path(), "t");
  output_dir_ = JoinPath(dir_->path(), "out");
  libexec_ = JoinPath(dir_->path(), "bin");
  ASSERT_OK(MakeDirs(tmp_));
  ASSERT_OK(MakeDirs(libexec_));
  suite_ = Built("ktstrctl/fake_suite");
  program_ = Built("ktstrctl/ktstrctl");
  // Any x86-64 program will do: nobody boots it.
  kernel_ = suite_;
  const std::pair<const char*, std::string> programs[] = {
      {"coordinator", Built("coordinator/coordinator")},
      {"hostd", Built("ktstrctl/fake_hostd")},
      {"vmm", suite_},
      {"guestd", suite_}};
  for (const auto& [name, path] : programs) {
    ASSERT_EQ(symlink(path.c_str(), JoinPath(libexec_, name).c_str()), 0);
  }
}

std::vector<std::string> CommandLineTest::Env(
    const std::vector<std::string>& extra) const {
  std::map<std::string, std::string> values = {
      {"TMPDIR", tmp_},
      {"KTSTR_LIBEXEC", libexec_},
      {"KTSTR_CACHE_DIR", JoinPath(dir_->path(), "cache")},
      {"KTSTR_CI", ""},
      {"KTSTR_KERNEL", ""},
      {"KTSTR_TEST_KERNEL", ""}};
  for (const std::string& entry : extra) {
    size_t equals = entry.find('=');
    values[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  std::vector<std::string> env;
  for (const auto& [name, value] : values) {
    env.push_back(absl::StrCat(name, "=", value));
  }
  return env;
}

CommandLineTest::Finished CommandLineTest::Run(
    const std::vector<std::string>& args,
    const std::vector<std::string>& extra_env) {
  CommandSpec spec = {.argv = {program_}, .extra_env = Env(extra_env)};
  spec.argv.insert(spec.argv.end(), args.begin(), args.end());
  absl::StatusOr<CommandOutput> output = RunCommand(spec, kTimeout);
  EXPECT_OK(output);
  if (!output.ok()) return {};
  EXPECT_EQ(output->exit.signal, 0);
  return {output->exit.code, output->out, output->err};
}

std::vector<std::string> CommandLineTest::SubmitArgs(
    std::vector<std::string> args) const {
  args.insert(args.begin(),
              {"submit", suite_, "--kernel", kernel_, "--output", output_dir_});
  return args;
}

CommandLineTest::Finished CommandLineTest::Submit(
    const std::vector<std::string>& args,
    const std::vector<std::string>& extra_env) {
  return Run(SubmitArgs(args), extra_env);
}

absl::StatusOr<CommandLineTest::Running> CommandLineTest::Start(
    const std::vector<std::string>& argv,
    const std::vector<std::string>& extra_env) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ABSL_ASSIGN_OR_RETURN(
      Subprocess process,
      Subprocess::Start(
          {.argv = argv,
           .extra_env = Env(extra_env),
           .inherited_fds = {{writer.get(), 1}, {writer.get(), 2}}}));
  return Running{std::move(process), std::move(reader), ""};
}

absl::Status CommandLineTest::Running::AwaitText(const std::string& text) {
  char buffer[4096];
  while (!absl::StrContains(output, text)) {
    pollfd waited = {.fd = reader.get(), .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, 60000) == 0) {
      return absl::DeadlineExceededError(output);
    }
    ssize_t count = read(reader.get(), buffer, sizeof(buffer));
    if (count <= 0) return absl::OutOfRangeError(output);
    output.append(buffer, count);
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitStatus> CommandLineTest::Running::Finish() {
  AwaitText("\x01 never printed").IgnoreError();
  return process.WaitFor(kTimeout);
}

std::vector<int> CommandLineTest::FleetPids() const {
  std::vector<int> pids;
  absl::StatusOr<std::vector<std::string>> entries = ListDir("/proc");
  if (!entries.ok()) return pids;
  for (const std::string& entry : *entries) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry, &pid)) continue;
    absl::StatusOr<std::string> line =
        ReadFile(absl::StrCat("/proc/", entry, "/cmdline"));
    if (line.ok() && absl::StrContains(*line, tmp_)) pids.push_back(pid);
  }
  return pids;
}

void CommandLineTest::AwaitNoFleet() const {
  for (int pid : FleetPids()) {
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) continue;
    pollfd waited = {.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&waited, 1, 20000), 1) << "process " << pid << " stays";
  }
}

std::vector<std::string> CommandLineTest::Leftovers() const {
  absl::StatusOr<std::vector<std::string>> names = ListDir(tmp_);
  EXPECT_OK(names);
  return names.ok() ? *names : std::vector<std::string>();
}

std::vector<std::string> CommandLineTest::ResultFiles() const {
  std::vector<std::string> files;
  absl::StatusOr<std::vector<std::string>> runs = ListDir(output_dir_);
  if (!runs.ok()) return files;
  for (const std::string& run : *runs) {
    std::string dir = JoinPath(output_dir_, run);
    absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      if (absl::EndsWith(name, ".ktstr.json")) {
        files.push_back(JoinPath(dir, name));
      }
    }
  }
  return files;
}

}  // namespace ktstr::ktstrctl
