// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The whole fleet's memory and decisions, served over gRPC.

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "coordinator/server/environment.h"
#include "coordinator/server/random.h"
#include "coordinator/server/server.h"
#include "grpc/support/log.h"

namespace ktstr::coordinator {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

struct Flags {
  std::string listen;
  std::string data;
  std::string log_level = "info";
  double host_timeout_s = 10;
  int64_t max_artifact_mib = ArtifactStore::kDefaultMaxBytes >> 20;
  int ready_fd = -1;
  bool exit_with_parent = false;
};

void DefineFlags(CLI::App& app, Flags& flags) {
  app.add_option("--listen", flags.listen,
                 "unix:PATH or HOST:PORT with a numeric host; port 0 picks one")
      ->required();
  app.add_option("--data", flags.data,
                 "directory of the database and the artifacts")
      ->required();
  app.add_option("--host-timeout", flags.host_timeout_s,
                 "seconds without a call after which a host is lost")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--max-artifact-mib", flags.max_artifact_mib,
                 "largest artifact accepted")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  app.add_option("--ready-fd", flags.ready_fd,
                 "descriptor that gets the bound address and a newline once "
                 "calls are served");
  app.add_flag("--exit-with-parent", flags.exit_with_parent,
               "stop when the process that started this one ends");
  app.add_option("--log-level", flags.log_level,
                 "trace, debug, info, warning or error")
      ->capture_default_str();
}

// Blocks the stop signals in every thread started later; they are read here.
UniqueFd CatchStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

// Becomes readable when the parent ends; none if not wanted.
UniqueFd WatchParent(const Flags& flags) {
  if (!flags.exit_with_parent) return UniqueFd();
  return UniqueFd(syscall(SYS_pidfd_open, getppid(), 0));
}

// Returns once a stop signal came or the parent ended.
void AwaitStop(int signals, int parent) {
  pollfd watched[] = {{.fd = signals, .events = POLLIN},
                      {.fd = parent, .events = POLLIN}};
  while (poll(watched, 2, -1) < 0 && errno == EINTR) {
  }
  signalfd_siginfo info;
  if (watched[0].revents != 0) {
    (void)!read(signals, &info, sizeof(info));
  }
}

// From here on a stop signal ends the process at once.
void ExitOnNextSignal() {
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

// What gRPC would log on its own reaches us as a status.
void SilenceGrpc() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

absl::Status AnnounceReady(int fd, const std::string& address) {
  if (fd < 0) return absl::OkStatus();
  UniqueFd owned(fd);
  return Annotate(WriteAll(fd, absl::StrCat(address, "\n")),
                  absl::StrCat("--ready-fd ", fd));
}

absl::Status Run(const Flags& flags) {
  UniqueFd signals = CatchStopSignals();
  UniqueFd parent = WatchParent(flags);
  ABSL_ASSIGN_OR_RETURN(
      Environment environment,
      OpenEnvironment(
          {.data_dir = flags.data,
           .fleet = {.host_timeout = absl::Seconds(flags.host_timeout_s)},
           .max_artifact_bytes = flags.max_artifact_mib << 20},
          &RealClock(), &KernelRandom()));
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Server> server,
                        Server::Start(&environment, flags.listen));
  spdlog::info("serving on {}, data in {}", server->address(), flags.data);
  ABSL_RETURN_IF_ERROR(AnnounceReady(flags.ready_fd, server->address()));
  AwaitStop(signals.get(), parent.get());
  spdlog::info("stopping");
  ExitOnNextSignal();
  server->Stop();
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Expands, places and remembers test runs of a fleet.",
               "coordinator");
  Flags flags;
  DefineFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  StartLogging("coordinator", flags.log_level.c_str());
  SilenceGrpc();
  absl::Status status = Run(flags);
  if (status.ok()) return 0;
  spdlog::error("{}", std::string(status.message()));
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailure;
}

}  // namespace
}  // namespace ktstr::coordinator

int main(int argc, char** argv) { return ktstr::coordinator::Main(argc, argv); }
