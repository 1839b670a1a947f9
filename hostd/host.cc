// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/host_cpus.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "grpcpp/grpcpp.h"
#include "hostd/artifact_cache.h"
#include "hostd/artifact_client.h"
#include "hostd/attempts.h"
#include "hostd/guest_image.h"
#include "hostd/inventory.h"
#include "hostd/lease_runner.h"
#include "hostd/run_dir.h"
#include "hostd/shell_runner.h"
#include "hostd/shells.h"
#include "hostd/synchronizer.h"

namespace ktstr::hostd {
namespace {

// The coordinator allows one ping a second.
constexpr int kKeepaliveMs = 20000;

std::string MakeIncarnation() {
  char bytes[16] = {};
  if (getrandom(bytes, sizeof(bytes), 0) < 0) return absl::StrCat(getpid());
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(64 << 20);
  args.SetMaxSendMessageSize(64 << 20);
  // gRPC's own limit of two minutes is too long for a coordinator that
  // restarts.
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A shell's guest must not outlive a coordinator that vanished silently.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   args);
}

// Signals become readable on the result. To be called before any thread is
// started.
absl::StatusOr<UniqueFd> CatchSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return absl::InternalError("pthread_sigmask failed");
  }
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

absl::StatusOr<std::string> CacheDirOf(const HostOptions& options) {
  if (!options.cache_dir.empty()) return options.cache_dir;
  ABSL_ASSIGN_OR_RETURN(std::string cache, CacheDir());
  return JoinPath(cache, "hostd");
}

LeaseRunner::Options RunnerOptions(const HostOptions& options, int cpus,
                                   ktstr::v1::HostContext context) {
  return {.boot = {.vmm_program = JoinPath(options.libexec_dir, "vmm"),
                   .host_cpus = cpus,
                   .extra_cmdline = options.extra_cmdline,
                   .keeps_run_dirs = options.keeps_run_dirs,
                   .clock = &RealClock()},
          .context = std::move(context),
          .is_performance_mode_off = options.is_performance_mode_off};
}

// A shell's files are all open at once.
void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void AnnounceReady(int fd) {
  if (fd < 0) return;
  WriteAll(fd, "ready\n").IgnoreError();
  close(fd);
}

// The parts of one hostd. Members in order of dependence: destroyed from the
// last, which ends guests, to the first, which removes their directory.
struct Host {
  Host(const HostOptions& options, RunDir dir, LeaseRunner::Options runner,
       Synchronizer::Options synchronizer,
       std::shared_ptr<grpc::Channel> channel)
      : run_dir(std::move(dir)),
        hosts(ktstr::v1::Hosts::NewStub(channel)),
        artifacts(ktstr::v1::Artifacts::NewStub(channel)),
        shells_stub(ktstr::v1::Shells::NewStub(channel)),
        runner_options(std::move(runner)),
        synchronizer(std::move(synchronizer), hosts.get(), &attempts),
        attempts(
            runner_options.boot.host_cpus,
            [this](const ktstr::v1::Attempt& attempt, AttemptControl* control) {
              return lease_runner->Run(attempt, control);
            },
            [this](Attempts::News news) { this->synchronizer.OnNews(news); }),
        shells(shells_stub.get(),
               [this](const ktstr::v1::ShellLease& lease, ShellLink* link) {
                 shell_runner->Run(lease, link);
               }) {
    if (options.keeps_run_dirs) run_dir.Keep();
  }

  RunDir run_dir;
  std::unique_ptr<ktstr::v1::Hosts::Stub> hosts;
  ArtifactClient artifacts;
  std::unique_ptr<ktstr::v1::Shells::Stub> shells_stub;
  LeaseRunner::Options runner_options;
  std::unique_ptr<ArtifactCache> cache;
  std::unique_ptr<LeaseRunner> lease_runner;
  std::unique_ptr<ShellRunner> shell_runner;
  Synchronizer synchronizer;
  Attempts attempts;
  Shells shells;
};

// Lets the synchronizer go on until it is over or signals end it.
absl::Status Serve(Host* host, int signal_fd, pid_t parent) {
  UniqueFd done(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done) return absl::ErrnoToStatus(errno, "eventfd");
  absl::Status status;
  Thread thread("synchronize", [&] {
    status = host->synchronizer.Run();
    eventfd_write(done.get(), 1);
  });
  int signals = 0;
  while (true) {
    pollfd polled[2] = {{.fd = done.get(), .events = POLLIN, .revents = 0},
                        {.fd = signal_fd, .events = POLLIN, .revents = 0}};
    if (poll(polled, 2, -1) < 0 && errno != EINTR) {
      host->synchronizer.Abandon();
    }
    if (polled[0].revents != 0) break;
    signalfd_siginfo caught;
    if (read(signal_fd, &caught, sizeof(caught)) != sizeof(caught)) continue;
    host->shells.StopAll();
    bool is_orphan = parent != 0 && getppid() != parent;
    if (++signals == 1 && !is_orphan) {
      spdlog::info(
          "ending the guests and reporting them; once more: leaving "
          "at once");
      host->artifacts.Close();
      host->synchronizer.Drain();
    } else {
      host->artifacts.Close();
      host->synchronizer.Abandon();
    }
  }
  thread.Join();
  if (absl::IsCancelled(status)) return absl::OkStatus();
  return status;
}

}  // namespace

absl::Status RunHost(const HostOptions& options) {
  RaiseFileLimit();
  ABSL_ASSIGN_OR_RETURN(UniqueFd signals, CatchSignals());
  ABSL_ASSIGN_OR_RETURN(std::string cache_dir, CacheDirOf(options));
  int cpus = options.cpus > 0 ? options.cpus
                              : std::max(1, int(AllowedHostCpus().size()));
  std::string host_id =
      options.host_id.empty() ? DefaultHostId() : options.host_id;

  ABSL_ASSIGN_OR_RETURN(RunDir run_dir, RunDir::Create(options.run_dir));
  absl::StatusOr<Sweeper> sweeper =
      Sweeper::Start("/proc/self/exe", run_dir.path());
  if (!sweeper.ok()) return sweeper.status();
  LeaseRunner::Options runner = RunnerOptions(options, cpus, {});
  ProbeReport probe = ProbeVmm(runner.boot.vmm_program);
  runner.context = ReadHostContext(host_id, probe);
  Synchronizer::Options synchronizer = {
      .host_id = host_id,
      .incarnation = MakeIncarnation(),
      .context = runner.context,
      .cpus = cpus,
      .memory_mib =
          options.memory_mib > 0 ? options.memory_mib : GuestMemoryMib(),
      .unusable_reason = UnusableReason(probe),
      .on_first_answer = [&options] { AnnounceReady(options.ready_fd); },
      .on_connection =
          [](const std::string& words) { spdlog::info("{}", words); }};
  spdlog::info("host {} ({}, {} CPUs, {} MiB): {}", host_id,
               runner.context.host_class(), cpus, synchronizer.memory_mib,
               synchronizer.unusable_reason.empty()
                   ? "takes leases"
                   : "takes no leases: " + synchronizer.unusable_reason);

  // Filled in when there is a host; nobody calls before it runs.
  Shells* shells = nullptr;
  synchronizer.on_shells = [&shells](const auto& leases) {
    shells->Reconcile(leases);
  };
  Host host(options, std::move(run_dir), std::move(runner),
            std::move(synchronizer), OpenChannel(options.coordinator));
  shells = &host.shells;
  ABSL_ASSIGN_OR_RETURN(
      host.cache, ArtifactCache::Open({.dir = JoinPath(cache_dir, "artifacts"),
                                       .max_bytes = options.cache_mib << 20},
                                      &host.artifacts));
  PackGuest pack = MakePackGuest(JoinPath(options.libexec_dir, "guestd"),
                                 JoinPath(cache_dir, "initramfs"));
  host.lease_runner = std::make_unique<LeaseRunner>(
      host.runner_options, &host.run_dir, host.cache.get(), pack);
  host.shell_runner = std::make_unique<ShellRunner>(
      host.runner_options.boot, &host.run_dir, host.cache.get(), pack);
  // Whatever still fetches when the host goes must not hold it up.
  absl::Cleanup closer = [&host] { host.artifacts.Close(); };
  return Serve(&host, signals.get(), options.parent);
}

}  // namespace ktstr::hostd
