// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/bpf_trace.h"

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "guestd/loaded_program.h"
#include "guestd/verifier_log.h"

namespace ktstr::guestd {
namespace {

constexpr uint32_t kLogStats = 4;  // BPF_LOG_STATS of linux/bpf_verifier.h
// Of an accepted program only the statistics at the end matter.
constexpr size_t kAcceptedLogBytes = 1024;
constexpr uint64_t kMaxReadBytes = 64 << 20;
constexpr size_t kChunkBytes = 64 << 10;
constexpr int kSyscallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

// The part of bpf_attr that says what to load and where to log.
struct LoadAttr {
  uint32_t prog_type;
  uint32_t insn_cnt;
  uint64_t insns;
  uint64_t license;
  uint32_t log_level;
  uint32_t log_size;
  uint64_t log_buf;
  uint32_t kern_version;
  uint32_t prog_flags;
  char prog_name[BPF_OBJ_NAME_LEN];
};
static_assert(offsetof(LoadAttr, log_level) == offsetof(bpf_attr, log_level));
static_assert(offsetof(LoadAttr, log_buf) == offsetof(bpf_attr, log_buf));
static_assert(offsetof(LoadAttr, prog_name) == offsetof(bpf_attr, prog_name));

struct LogFields {
  uint32_t log_level;
  uint32_t log_size;
  uint64_t log_buf;
};
constexpr size_t kMinAttrBytes = offsetof(LoadAttr, kern_version);
constexpr uint64_t kLogFieldsAt = offsetof(LoadAttr, log_level);

struct LogTail {
  std::string text;
  int64_t dropped = 0;
};

// Drops what is before the last `size` bytes.
void CutTo(size_t size, LogTail& tail) {
  if (tail.text.size() <= size) return;
  const size_t surplus = tail.text.size() - size;
  tail.text.erase(0, surplus);
  tail.dropped += surplus;
}

// The NUL-terminated text at `address`, which may use `size` bytes.
LogTail ReadLog(pid_t tid, uint64_t address, uint64_t size) {
  LogTail tail;
  size = std::min(size, kMaxReadBytes);
  for (uint64_t at = 0; at < size;) {
    char chunk[kChunkBytes];
    size_t count = std::min<uint64_t>(size - at, sizeof(chunk));
    if (!ReadMemory(tid, address + at, {chunk, count})) break;
    size_t length = strnlen(chunk, count);
    tail.text.append(chunk, length);
    // Seldom, because each time moves what remains.
    if (tail.text.size() > 2 * BpfTrace::kMaxLogBytes) {
      CutTo(BpfTrace::kMaxLogBytes, tail);
    }
    if (length < count) break;
    at += count;
  }
  CutTo(BpfTrace::kMaxLogBytes, tail);
  return tail;
}

void SetStats(const VerifierStats& stats, v1::BpfProgram& program) {
  if (stats.processed_insns) {
    program.set_processed_insns(*stats.processed_insns);
  }
  if (stats.insn_limit) program.set_insn_limit(*stats.insn_limit);
  if (stats.max_states_per_insn) {
    program.set_max_states_per_insn(*stats.max_states_per_insn);
  }
  if (stats.total_states) program.set_total_states(*stats.total_states);
  if (stats.peak_states) program.set_peak_states(*stats.peak_states);
  for (uint32_t depth : stats.stack_depths) program.add_stack_depths(depth);
  if (stats.verification_time) {
    *program.mutable_verification_time() =
        ToProtoDuration(*stats.verification_time);
  }
}

// The name as the kernel would take it, printable.
std::string NameOf(const LoadAttr& attr) {
  std::string name(attr.prog_name,
                   strnlen(attr.prog_name, sizeof(attr.prog_name)));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; },
      '?');
  return name;
}

}  // namespace

BpfTrace::BpfTrace(EventLoop* loop)
    : loop_(loop),
      signal_(
          std::make_unique<ChildSignal>(ChildSignal::Reports::kEndsAndStops)) {
  loop_->Watch(signal_->fd(), POLLIN, [this] { OnSignal(); });
}

BpfTrace::~BpfTrace() {
  loop_->Forget(signal_->fd());
  for (const auto& [tid, thread] : threads_) {
    if (tid == first_) continue;
    // Not reaped, so the number is nobody else's; ECHILD once it is.
    siginfo_t info = {};
    if (waitid(P_PID, tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0) {
      continue;
    }
    kill(tid, SIGKILL);
    while (waitid(P_PID, tid, &info, WEXITED | __WALL) != 0 && errno == EINTR) {
    }
  }
}

void BpfTrace::Follow(pid_t pid) {
  if (!CanTraceHere()) {
    trouble_ = "programs are not traced on this architecture";
    return;
  }
  constexpr long kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD |
                            PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE |
                            PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
  if (ptrace(PTRACE_SEIZE, pid, nullptr, kOptions) != 0) {
    trouble_ = absl::StrCat("the process cannot be traced: ", strerror(errno));
    return;
  }
  first_ = pid;
  threads_[pid];
}

void BpfTrace::LetGo() { is_letting_go_ = true; }

void BpfTrace::OnSignal() {
  signal_->Clear();
  // Signals merge: every thread may have something to say, and what one says
  // may be that there is another.
  bool is_quiet = false;
  while (!is_quiet) {
    is_quiet = true;
    std::vector<pid_t> tids;
    for (const auto& [tid, thread] : threads_) tids.push_back(tid);
    for (pid_t tid : tids) is_quiet &= !Handle(tid);
  }
}

bool BpfTrace::Handle(pid_t tid) {
  // The first process is its owner's to reap.
  const int kinds = WSTOPPED | (tid == first_ ? 0 : WEXITED);
  siginfo_t info = {};
  if (waitid(P_PID, tid, &info, kinds | WNOHANG | __WALL) != 0) {
    threads_.erase(tid);
    return false;
  }
  if (info.si_pid == 0) return false;
  if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
    OnStop(tid, info.si_status);
  } else {
    threads_.erase(tid);
  }
  return true;
}

// `status` is a signal, or one with an event of ptrace(2) above.
void BpfTrace::OnStop(pid_t tid, int status) {
  const int event = status >> 8;
  const int signal = status & 0xff;
  if (status == kSyscallStop) {
    OnSyscall(tid, threads_[tid]);
    GoOn(tid, 0);
    return;
  }
  unsigned long message = 0;
  switch (event) {
    case 0:
      GoOn(tid, signal);
      return;
    case PTRACE_EVENT_CLONE:
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
      if (ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &message) == 0) {
        threads_[static_cast<pid_t>(message)];
      }
      if (threads_.size() > kMaxThreads && !is_letting_go_) {
        trouble_ = absl::StrCat("the scheduler has more than ", kMaxThreads,
                                " threads while it loads");
        LetGo();
      }
      break;
    case PTRACE_EVENT_EXEC:
      // Its memory is another now.
      threads_[tid] = {};
      break;
    case PTRACE_EVENT_STOP:
      if (signal != SIGTRAP && !is_letting_go_) {
        // Stopped like any process; it stays so until SIGCONT.
        ptrace(PTRACE_LISTEN, tid, nullptr, 0);
        return;
      }
      break;
    default:
      break;
  }
  GoOn(tid, 0);
}

void BpfTrace::GoOn(pid_t tid, int signal) {
  auto it = threads_.find(tid);
  if (it == threads_.end()) return;
  if (is_letting_go_ && it->second.state == State::kWatched) {
    ptrace(PTRACE_DETACH, tid, nullptr, signal);
    threads_.erase(it);
    return;
  }
  ptrace(PTRACE_SYSCALL, tid, nullptr, signal);
}

void BpfTrace::OnSyscall(pid_t tid, Thread& thread) {
  absl::optional<SyscallStop> stop = ReadSyscallStop(tid);
  if (!stop) {
    thread.state = State::kWatched;
    return;
  }
  if (stop->is_entry) {
    if (!is_letting_go_ && stop->number == SYS_bpf &&
        stop->args[0] == BPF_PROG_LOAD) {
      BeginLoad(tid, thread, *stop);
    }
    return;
  }
  const State state = std::exchange(thread.state, State::kWatched);
  if (state == State::kLoading) EndLoad(tid, thread, stop->result);
  if (state != State::kMapping) return;
  if (stop->result < 0) {
    thread.has_no_buffer = true;
  } else {
    thread.buffer = static_cast<uint64_t>(stop->result);
  }
  RepeatSyscall(tid, thread.registers);
}

void BpfTrace::BeginLoad(pid_t tid, Thread& thread, const SyscallStop& stop) {
  const uint64_t address = stop.args[1];
  const uint64_t size = std::min<uint64_t>(stop.args[2], sizeof(LoadAttr));
  LoadAttr attr = {};
  if (size < kMinAttrBytes ||
      // SAFETY: a trivial structure, filled with what may be any bytes.
      !ReadMemory(tid, address, {reinterpret_cast<char*>(&attr), size})) {
    return;
  }
  absl::optional<TraceeRegisters> registers = ReadRegisters(tid);
  if (!registers) return;
  thread.load = {};
  thread.load.program.set_name(NameOf(attr));
  thread.load.program.set_type(ProgramTypeName(attr.prog_type));
  thread.load.program.set_insns(attr.insn_cnt);
  thread.registers = *registers;
  thread.attr = address;
  thread.log = attr.log_level == 0 ? 0 : attr.log_buf;
  thread.log_bytes = attr.log_level == 0 ? 0 : attr.log_size;
  thread.log_fields.clear();
  thread.state = State::kLoading;
  if (attr.log_level != 0 || thread.has_no_buffer) return;
  if (thread.buffer != 0) {
    LendBuffer(tid, thread);
  } else if (ReplaceSyscall(tid, *registers, SYS_mmap,
                            {0, kMaxLogBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0})) {
    thread.state = State::kMapping;
  }
}

// No log of statistics fills this buffer; see EndLoad() where one does.
void BpfTrace::LendBuffer(pid_t tid, Thread& thread) {
  const LogFields fields = {.log_level = kLogStats,
                            .log_size = kMaxLogBytes,
                            .log_buf = thread.buffer};
  std::string own(sizeof(fields), '\0');
  const uint64_t at = thread.attr + kLogFieldsAt;
  // Empty, or the log before would be read again where the kernel writes none.
  const char empty = '\0';
  if (!ReadMemory(tid, at, absl::MakeSpan(own)) ||
      !WriteMemory(tid, thread.buffer, {&empty, 1}) ||
      // SAFETY: a structure without padding.
      !WriteMemory(tid, at,
                   {reinterpret_cast<const char*>(&fields), sizeof(fields)})) {
    return;
  }
  thread.log_fields = own;
  thread.log = thread.buffer;
  thread.log_bytes = kMaxLogBytes;
}

void BpfTrace::EndLoad(pid_t tid, Thread& thread, int64_t result) {
  if (!thread.log_fields.empty()) {
    WriteMemory(tid, thread.attr + kLogFieldsAt, thread.log_fields);
    if (result == -ENOSPC) {
      // Refused for a log that the process did not ask for: once more without.
      thread.has_no_buffer = true;
      RepeatSyscall(tid, thread.registers);
      return;
    }
  }
  v1::BpfProgram& program = thread.load.program;
  if (thread.log != 0) {
    LogTail log = ReadLog(tid, thread.log, thread.log_bytes);
    SetStats(ParseVerifierStats(log.text), program);
    if (result >= 0) CutTo(kAcceptedLogBytes, log);
    program.set_log(std::move(log.text));
    program.set_log_bytes_dropped(log.dropped);
  }
  program.set_is_accepted(result >= 0);
  if (result < 0) {
    program.set_error(static_cast<int32_t>(-result));
  } else if (absl::optional<LoadedProgram> loaded =
                 DescribeProgram(tid, static_cast<int>(result))) {
    thread.load.id = loaded->id;
    program.set_verified_insns(loaded->verified_insns);
  }
  Keep(std::move(thread.load));
}

void BpfTrace::Keep(Load load) {
  auto is_refused = [](const Load& kept) {
    return !kept.program.is_accepted();
  };
  // A probe of what the kernel can do is closed before the next load.
  if (!loads_.empty() && loads_.back().id != 0 &&
      !ProgramExists(loads_.back().id)) {
    loads_.pop_back();
  }
  if (load.program.is_accepted()) {
    loads_.erase(std::remove_if(loads_.begin(), loads_.end(), is_refused),
                 loads_.end());
  } else if (!loads_.empty() && is_refused(loads_.back())) {
    const v1::BpfProgram& before = loads_.back().program;
    bool is_same = before.name() == load.program.name() &&
                   before.type() == load.program.type() &&
                   before.insns() == load.program.insns();
    if (is_same) loads_.pop_back();
    // Of many refusals only the last log is kept.
    if (!loads_.empty()) loads_.back().program.clear_log();
  }
  if (loads_.size() < kMaxLoads) {
    loads_.push_back(std::move(load));
  } else {
    trouble_ = absl::StrCat("more than ", kMaxLoads, " programs were loaded");
  }
}

v1::BpfPrograms BpfTrace::Report(bool is_attached) const {
  v1::BpfPrograms report;
  report.set_missing(trouble_);
  for (const Load& load : loads_) {
    bool is_gone = is_attached && (load.id != 0 ? !ProgramExists(load.id)
                                                : !load.program.is_accepted());
    if (!is_gone) *report.add_programs() = load.program;
  }
  return report;
}

}  // namespace ktstr::guestd
