// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// hostd: turns leases into guests and one result each.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "hostd/host.h"
#include "hostd/run_dir.h"

namespace {

struct Flags {
  ktstr::hostd::HostOptions host;
  std::string log_level = "info";
  bool exits_with_parent = false;
  int sweep_after = -1;
};

// Beside this program, unless the environment says otherwise.
std::string DefaultLibexec() {
  if (const char* dir = getenv("KTSTR_LIBEXEC"); dir && *dir) return dir;
  char path[4096];
  ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return ".";
  return std::string(
      ktstr::Dirname(absl::string_view(path, static_cast<size_t>(size))));
}

std::string DefaultRunDir() {
  const char* root = getenv("TMPDIR");
  return ktstr::JoinPath(root && *root ? root : "/tmp",
                         absl::StrCat("ktstr-", getuid()));
}

void AddFlags(CLI::App* app, Flags* flags) {
  ktstr::hostd::HostOptions& host = flags->host;
  app->add_option("--coordinator", host.coordinator,
                  "Address of the coordinator: HOST:PORT or unix:PATH");
  app->add_option("--host-id", host.host_id,
                  "Name of this machine in the fleet (default: its host name)");
  app->add_option("--cache", host.cache_dir,
                  "Directory for artifacts (default: the user's cache)");
  app->add_option("--cache-mib", host.cache_mib,
                  "Most the artifact cache may hold");
  app->add_option("--run-dir", host.run_dir,
                  "Directory for sockets of running guests; keep it short");
  app->add_option("--cpus", host.cpus,
                  "CPUs for guests (default: all this process may use)")
      ->check(CLI::Range(1, 4096));
  app->add_option("--memory", host.memory_mib,
                  "MiB for guests (default: nine tenths of what is available)")
      ->check(CLI::Range(1, 1 << 30));
  app->add_option("--libexec", host.libexec_dir,
                  "Directory of vmm and guestd (default: $KTSTR_LIBEXEC, else "
                  "beside hostd)");
  app->add_option("--kernel-args", host.extra_cmdline,
                  "Further words for every guest kernel's command line");
  app->add_flag("--exit-with-parent", flags->exits_with_parent,
                "End when the process that started hostd ends");
  app->add_option("--ready-fd", host.ready_fd,
                  "Write \"ready\" and a line end here after the first answer "
                  "of the coordinator");
  app->add_flag("--keep-run-dirs", host.keeps_run_dirs,
                "Leave sockets and directories of guests behind");
  app->add_flag("--no-perf-mode", host.is_performance_mode_off,
                "Skip tests that want hardware of their own; so does "
                "$KTSTR_NO_PERF_MODE, whatever its value");
  app->add_option("--log-level", flags->log_level,
                  "trace, debug, info, warning or error");
  // For hostd itself: see run_dir.h, Sweeper.
  app->add_option("--sweep-after", flags->sweep_after)->group("");
}

}  // namespace

int main(int argc, char** argv) {
  pid_t parent = getppid();
  Flags flags;
  flags.host.libexec_dir = DefaultLibexec();
  flags.host.run_dir = DefaultRunDir();
  flags.host.is_performance_mode_off = getenv("KTSTR_NO_PERF_MODE") != nullptr;
  CLI::App app("Runs leases of a ktstr coordinator as virtual machines.",
               "hostd");
  AddFlags(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.sweep_after >= 0) {
    ktstr::hostd::SweepAfter(flags.sweep_after, flags.host.run_dir);
    return 0;
  }
  if (flags.host.coordinator.empty()) {
    fprintf(stderr,
            "hostd: --coordinator is missing: HOST:PORT or unix:PATH\n");
    return 2;
  }
  ktstr::StartLogging("hostd", flags.log_level.c_str());
  if (flags.exits_with_parent) {
    flags.host.parent = parent;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) return 0;
  }
  absl::Status status = ktstr::hostd::RunHost(flags.host);
  if (status.ok()) return 0;
  spdlog::error("{}", std::string(status.message()));
  return 1;
}
