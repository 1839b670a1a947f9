// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "bpf/scheduler.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "bpf/fixture_programs.skel.h"
#include "bpf/llcs.h"
#include "bpf/programs/scx_fixture.h"

namespace ktstr::bpf {
namespace {

// What BPF writes is what is read here.
static_assert(sizeof(fixture_exit) == 4 + 128 + 1024 + 32768);
static_assert(offsetof(fixture_exit, dump) == 4 + 128 + 1024);

constexpr char kCpuDir[] = "/sys/devices/system/cpu";
constexpr char kHotplugSequence[] = "/sys/kernel/sched_ext/hotplug_seq";

bool is_verbose = false;

int PrintForLibbpf(libbpf_print_level level, const char* format, va_list args) {
  if (level != LIBBPF_WARN && !is_verbose) return 0;
  return vfprintf(stderr, format, args);
}

// How often CPUs have come or gone. The kernel refuses to attach a scheduler
// that was made for another number than the present one.
absl::StatusOr<uint64_t> ReadHotplugSequence() {
  absl::StatusOr<std::string> text = ReadFile(kHotplugSequence);
  if (!text.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this kernel has no sched_ext: ", text.status().message()));
  }
  uint64_t sequence;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &sequence)) {
    return absl::FailedPreconditionError(
        absl::StrCat(kHotplugSequence, " holds no number: ", *text));
  }
  return sequence;
}

fixture_misbehavior OfPrograms(Misbehavior misbehavior) {
  switch (misbehavior) {
    case Misbehavior::kNone:
    case Misbehavior::kRejectLoad:
    case Misbehavior::kVerifierLoop:
      break;
    case Misbehavior::kStallOne:
      return FIXTURE_STALL_ONE;
    case Misbehavior::kStallAll:
      return FIXTURE_STALL_ALL;
    case Misbehavior::kDrop:
      return FIXTURE_DROP;
    case Misbehavior::kCrash:
      return FIXTURE_CRASH;
    case Misbehavior::kOneCpu:
      return FIXTURE_ONE_CPU;
    case Misbehavior::kIgnoreAffinity:
      return FIXTURE_IGNORE_AFFINITY;
    case Misbehavior::kIgnoreCpuset:
      return FIXTURE_IGNORE_CPUSET;
    case Misbehavior::kUnfair:
      return FIXTURE_UNFAIR;
  }
  return FIXTURE_BEHAVE;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Scheduler>> Scheduler::Load(
    const Options& options) {
  is_verbose = options.is_verbose;
  libbpf_set_print(PrintForLibbpf);
  fixture_programs* programs = fixture_programs__open();
  if (programs == nullptr) {
    return absl::ErrnoToStatus(errno, "opening the BPF programs");
  }
  std::unique_ptr<Scheduler> scheduler(new Scheduler(options, programs));
  ABSL_RETURN_IF_ERROR(scheduler->SetConstants());
  ABSL_RETURN_IF_ERROR(scheduler->LoadPrograms());
  return scheduler;
}

Scheduler::~Scheduler() {
  Detach();
  ring_buffer__free(exits_);
  fixture_programs__destroy(programs_);
}

// They can be written between opening and loading only.
absl::Status Scheduler::SetConstants() {
  auto* operations = programs_->struct_ops.fixture_ops;
  auto* constants = programs_->rodata;
  // Before the CPUs are looked at, so that no change of them is missed.
  ABSL_ASSIGN_OR_RETURN(operations->hotplug_seq, ReadHotplugSequence());
  operations->timeout_ms = absl::ToInt64Milliseconds(options_.watchdog);
  constants->slice_ns = absl::ToInt64Nanoseconds(options_.slice);
  constants->may_steal = options_.may_steal;

  if (options_.has_queue_per_llc) {
    ABSL_ASSIGN_OR_RETURN(Llcs llcs, ReadLlcs(kCpuDir));
    if (llcs.count > FIXTURE_MAX_QUEUES ||
        llcs.of_cpu.size() > FIXTURE_MAX_CPUS) {
      return absl::FailedPreconditionError(absl::StrCat(
          "this machine has ", llcs.of_cpu.size(), " CPUs and ", llcs.count,
          " last-level caches; --llc is made for ", FIXTURE_MAX_CPUS, " and ",
          FIXTURE_MAX_QUEUES, " at most"));
    }
    constants->nr_queues = llcs.count;
    for (size_t cpu = 0; cpu < llcs.of_cpu.size(); ++cpu) {
      constants->queue_of_cpu[cpu] = llcs.of_cpu[cpu];
    }
  }

  constants->misbehavior = OfPrograms(options_.misbehavior);
  constants->argument = options_.argument;
  constants->chosen_pid = options_.chosen_pid;
  strncpy(constants->chosen_comm, options_.chosen_name.c_str(),
          FIXTURE_COMM_BYTES - 1);
  return absl::OkStatus();
}

absl::Status Scheduler::LoadPrograms() {
  auto* operations = programs_->struct_ops.fixture_ops;
  bpf_program* const enqueues[] = {programs_->progs.fixture_enqueue,
                                   programs_->progs.fixture_enqueue_rejected,
                                   programs_->progs.fixture_enqueue_endless};
  if (options_.misbehavior == Misbehavior::kRejectLoad) {
    operations->enqueue = programs_->progs.fixture_enqueue_rejected;
  } else if (options_.misbehavior == Misbehavior::kVerifierLoop) {
    operations->enqueue = programs_->progs.fixture_enqueue_endless;
  }
  for (bpf_program* enqueue : enqueues) {
    bpf_program__set_autoload(enqueue, enqueue == operations->enqueue);
  }
  if (int error = fixture_programs__load(programs_); error != 0) {
    return absl::ErrnoToStatus(
        -error,
        "the kernel refused to load the scheduler, for reasons given above");
  }
  exits_ = ring_buffer__new(bpf_map__fd(programs_->maps.exits), OnExit, this,
                            /*opts=*/nullptr);
  if (exits_ == nullptr) {
    return absl::ErrnoToStatus(errno, "mapping the ring of exits");
  }
  return absl::OkStatus();
}

absl::Status Scheduler::Attach() {
  link_ = bpf_map__attach_struct_ops(programs_->maps.fixture_ops);
  if (link_ == nullptr) {
    if (errno == EBUSY) {
      return absl::AlreadyExistsError("another scheduler is attached");
    }
    absl::Status status = absl::ErrnoToStatus(errno, "attaching the scheduler");
    std::optional<SchedulerExit> said = TakeExit();
    return said ? Annotate(status, said->message) : status;
  }
  absl::Duration from = RealClock().Monotonic() + options_.after;
  programs_->data->misbehaves_from_ns = absl::ToInt64Nanoseconds(from);
  return absl::OkStatus();
}

void Scheduler::Detach() {
  bpf_link__destroy(link_);
  link_ = nullptr;
}

int Scheduler::exit_fd() const { return ring_buffer__epoll_fd(exits_); }

std::optional<SchedulerExit> Scheduler::TakeExit() {
  ring_buffer__consume(exits_);
  return std::exchange(exit_, std::nullopt);
}

int Scheduler::OnExit(void* self, void* record, size_t size) {
  if (size < sizeof(fixture_exit)) return 0;
  const auto& said = *static_cast<const fixture_exit*>(record);
  static_cast<Scheduler*>(self)->exit_ = {
      .is_on_request = said.is_on_request != 0,
      .reason = said.reason,
      .message = said.message,
      .dump = said.dump,
  };
  return 0;
}

}  // namespace ktstr::bpf
