// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/lease_runner.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "hostd/classify.h"
#include "model/guest_layout.h"
#include "model/topology.h"

namespace ktstr::hostd {
namespace {

// What a kernel needs beside its image and the initramfs, in MiB.
constexpr int64_t kMemoryReserveMib = 96;
// vmm's own deadline is the backstop of ours.
constexpr absl::Duration kVmmDeadlineSlack = absl::Seconds(5);
// Warnings and worse; everything. A panic and an oops are printed whole anyway.
constexpr char kQuietConsole[] = "loglevel=5";
constexpr char kVerboseConsole[] = "ignore_loglevel";
constexpr char kOneCpuAtBoot[] = "maxcpus=1";

absl::StatusOr<std::string> MakeNonce() {
  char bytes[16];
  if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
    return absl::ErrnoToStatus(errno, "getrandom");
  }
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

absl::Status CheckAttempt(const ktstr::v1::Attempt& attempt) {
  if (attempt.key().epoch() <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("attempt epoch ", attempt.key().epoch(),
                     "; accepted are numbers from 1"));
  }
  if (!attempt.variant().kernel().has_image()) {
    return absl::InvalidArgumentError("the lease names no kernel image");
  }
  return absl::OkStatus();
}

// The initramfs lies in memory twice while it is unpacked, the kernel once as a
// file and once loaded; a guest without that much cannot say hello.
int64_t MemoryFloorMib(int64_t kernel_bytes,
                       const std::vector<UniqueFd>& initrds) {
  int64_t bytes = kernel_bytes;
  for (const UniqueFd& fd : initrds) {
    struct stat info;
    if (fstat(fd.get(), &info) == 0) bytes += 2 * info.st_size;
  }
  return (bytes >> 20) + kMemoryReserveMib;
}

std::vector<int> Numbers(const std::vector<UniqueFd>& fds) {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

void FillFromWatch(WatchResult watch, ktstr::v1::AttemptResult* result) {
  for (auto& phase : watch.phases) *result->add_phases() = std::move(phase);
  if (watch.guest.verdict) {
    *result->mutable_groups() =
        std::move(*watch.guest.verdict->mutable_groups());
  }
  for (auto& stimulus : watch.guest.stimuli) {
    *result->add_stimuli() = std::move(stimulus);
  }
  if (watch.evidence.machine_end != MachineEnd::kUnspecified) {
    result->set_machine_end(
        std::string(MachineEndName(watch.evidence.machine_end)));
  }
  result->set_machine_end_detail(watch.evidence.machine_end_detail);
  result->set_console_tail(std::move(watch.console_tail));
  result->set_test_log_tail(std::string(watch.guest.test_log.text()));
  result->set_scheduler_log_tail(std::string(watch.guest.scheduler_log.text()));
  result->set_kernel_log_tail(std::string(watch.guest.kernel_log.text()));
  result->set_guest_kernel_release(watch.kernel_release);
}

}  // namespace

LeaseRunner::LeaseRunner(Options options, const RunDir* run_dir,
                         ArtifactCache* cache, PackGuest pack)
    : options_(std::move(options)),
      run_dir_(run_dir),
      cache_(cache),
      pack_(std::move(pack)) {}

ktstr::v1::AttemptResult LeaseRunner::Run(const ktstr::v1::Attempt& attempt,
                                          AttemptControl* control) const {
  ktstr::v1::AttemptResult result;
  absl::Duration started = options_.clock->Monotonic();
  absl::Time wall = options_.clock->Now();
  absl::StatusOr<WatchResult> watch = RunMachine(attempt, control);
  Evidence evidence;
  if (watch.ok()) {
    evidence = watch->evidence;
    FillFromWatch(*std::move(watch), &result);
  } else {
    evidence.preparation = watch.status();
    evidence.stop = control->reason();
  }
  Classification judged = Classify(evidence);
  *result.mutable_key() = attempt.key();
  result.set_outcome(judged.outcome);
  result.set_reason(judged.reason);
  for (auto& finding : judged.findings) {
    *result.add_findings() = std::move(finding);
  }
  *result.mutable_host() = options_.context;
  auto topology = Topology::Parse(attempt.variant().topology());
  result.mutable_host()->set_is_overcommitted(
      topology.ok() && topology->cpus() > options_.host_cpus);
  int64_t wall_ns = absl::ToUnixNanos(wall);
  result.mutable_started_at()->set_seconds(wall_ns / 1000000000);
  result.mutable_started_at()->set_nanos(
      static_cast<int32_t>(wall_ns % 1000000000));
  *result.mutable_wall_time() =
      ToProtoDuration(options_.clock->Monotonic() - started);
  return result;
}

ktstr::v1::RunTestRequest LeaseRunner::MakeRequest(
    const ktstr::v1::Attempt& attempt, int vcpus) const {
  const ktstr::v1::VariantSpec& variant = attempt.variant();
  ktstr::v1::RunTestRequest request;
  request.set_test(variant.test());
  request.set_suite_path(kGuestSuitePath);
  if (variant.scheduler().has_binary()) {
    request.set_scheduler_path(kGuestSchedulerPath);
    *request.mutable_scheduler_args() = variant.scheduler().args();
  }
  request.set_scheduler_name(variant.scheduler().name());
  *request.mutable_attach_timeout() = attempt.budget().attach();
  *request.mutable_test_timeout() = attempt.budget().test();
  *request.mutable_detach_timeout() = attempt.budget().shutdown();
  request.set_topology(variant.topology());
  *request.mutable_duration() = variant.duration();
  request.set_workers_per_cgroup(variant.workers_per_cgroup());
  request.set_seed(variant.seed());
  request.set_is_overcommitted(vcpus > options_.host_cpus);
  return request;
}

std::string LeaseRunner::GuestCmdline(const ktstr::v1::AttemptKey& key,
                                      int vcpus,
                                      const std::string& nonce) const {
  std::vector<std::string> words;
  // Every byte on the console is an exit or two, and guestd sends the whole log
  // anyway. When that failed, the next attempt is verbose.
  words.push_back(key.epoch() == 1 ? kQuietConsole : kVerboseConsole);
  // Until the kernel trusts its clock, idle CPUs tick: on a host with fewer
  // CPUs nothing else gets done. guestd brings them up when they can sleep.
  if (vcpus > options_.host_cpus) words.push_back(kOneCpuAtBoot);
  words.push_back(absl::StrCat(kCmdlineEpoch, "=", key.epoch()));
  words.push_back(absl::StrCat(kCmdlineNonce, "=", nonce));
  // Last, because the kernel takes the last word of a name.
  if (!options_.extra_cmdline.empty()) words.push_back(options_.extra_cmdline);
  return absl::StrJoin(words, " ");
}

absl::StatusOr<WatchResult> LeaseRunner::RunMachine(
    const ktstr::v1::Attempt& attempt, AttemptControl* control) const {
  const ktstr::v1::VariantSpec& variant = attempt.variant();
  ABSL_RETURN_IF_ERROR(CheckAttempt(attempt));
  ABSL_ASSIGN_OR_RETURN(Topology topology, Topology::Parse(variant.topology()));
  ABSL_ASSIGN_OR_RETURN(HeldArtifact kernel,
                        FetchArtifact(variant.kernel().image(), cache_));
  ABSL_ASSIGN_OR_RETURN(std::vector<GuestImageFile> files,
                        FetchGuestFiles(variant, cache_));
  ABSL_ASSIGN_OR_RETURN(std::vector<UniqueFd> initrds, pack_(files));
  if (control->reason() != StopReason::kNone) {
    return absl::CancelledError("stopped before the machine was started");
  }
  ABSL_ASSIGN_OR_RETURN(std::string dir, run_dir_->MakeAttemptDir());
  absl::Cleanup remover = [&] {
    if (!options_.keeps_run_dirs) RemoveTree(dir).IgnoreError();
  };
  ABSL_ASSIGN_OR_RETURN(std::string nonce, MakeNonce());
  std::string vsock_path = JoinPath(dir, "v");
  ABSL_ASSIGN_OR_RETURN(
      HelloListener hello,
      HelloListener::Create(absl::StrCat(vsock_path, "_", kHostHelloPort),
                            attempt.key().epoch(), nonce));

  WatchLimits limits = WatchLimits::From(attempt.budget(),
                                         FromProtoDuration(variant.duration()));
  VmmOptions vmm_options = {.program = options_.vmm_program,
                            .epoch = attempt.key().epoch(),
                            .kernel_fd = kernel.fd(),
                            .initrd_fds = Numbers(initrds)};
  MachineSpec& machine = vmm_options.machine;
  machine.topology = topology;
  machine.memory_mib = std::max<int64_t>(
      variant.memory_mib(), MemoryFloorMib(kernel.size_bytes(), initrds));
  machine.cmdline = GuestCmdline(attempt.key(), topology.cpus(), nonce);
  machine.vsock_path = vsock_path;
  machine.deadline = limits.total + kVmmDeadlineSlack;

  absl::Duration started = options_.clock->Monotonic();
  ABSL_ASSIGN_OR_RETURN(VmmProcess vmm, VmmProcess::Start(vmm_options));
  MachineWatch watch({.limits = limits,
                      .clock = options_.clock,
                      .vsock_path = vsock_path,
                      .request = MakeRequest(attempt, topology.cpus()),
                      .started = started},
                     &vmm, &hello, control);
  return watch.Run();
}

}  // namespace ktstr::hostd
