// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_BPF_TRACE_H_
#define KTSTR_GUESTD_BPF_TRACE_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "guestd/child_signal.h"
#include "guestd/event_loop.h"
#include "guestd/tracee.h"
#include "proto/outcome.pb.h"

namespace ktstr::guestd {

// Sees every BPF program that a process, its threads and its children load, and
// what the kernel's verifier says about it, whatever library they use.
//
// How:      ptrace(2), stopping at system calls until LetGo(). A load that asks
//           for no log is given one of the verifier's statistics, in 256 KiB
//           that are mapped into the process for it (and stay); its attributes
//           are put back afterwards. A load that asks for a log is only
//           watched. Nobody is interrupted to be let go: each thread at its
//           next stop.
// Trust:    everything in the process may be wrong and change at any time.
// Threads:  the loop's, which must be the one that starts the process.
// Lifetime: `loop` outlives the object. The destructor kills what is still
//           traced, the first process excepted, and waits for its end; end and
//           reap the first process after it.
class BpfTrace {
 public:
  static constexpr size_t kMaxLogBytes = 256 << 10;
  static constexpr size_t kMaxLoads = 1024;
  static constexpr size_t kMaxThreads = 1024;

  // One at a time in the whole process, as ChildSignal.
  explicit BpfTrace(EventLoop* loop);
  ~BpfTrace();

  // For CommandSpec::before_exec: follows the child from its exec on. Where
  // that fails, Report() says why.
  void Follow(pid_t pid);

  // The programs are loaded: stops looking.
  void LetGo();

  // What was loaded so far. With `is_attached` the programs that exist now;
  // else also those refused after which nothing more was loaded: a loader that
  // goes on has coped. Tries of one program count once, by the last.
  v1::BpfPrograms Report(bool is_attached) const;

 private:
  struct Load {
    v1::BpfProgram program;
    uint32_t id = 0;  // 0: refused, or not known
  };
  enum class State { kWatched, kMapping, kLoading };
  struct Thread {
    State state = State::kWatched;
    Load load;
    // At the entry of the load.
    TraceeRegisters registers = {};
    uint64_t attr = 0;
    std::string
        log_fields;    // the process' own, to be put back; empty: untouched
    uint64_t log = 0;  // where the log of this load will be; 0: nowhere
    uint64_t log_bytes = 0;
    uint64_t buffer = 0;         // mapped for logs; 0: not yet
    bool has_no_buffer = false;  // and never will
  };

  void OnSignal();
  // Whether there was something to handle.
  bool Handle(pid_t tid);
  void OnStop(pid_t tid, int status);
  void OnSyscall(pid_t tid, Thread& thread);
  void BeginLoad(pid_t tid, Thread& thread, const SyscallStop& stop);
  void LendBuffer(pid_t tid, Thread& thread);
  void EndLoad(pid_t tid, Thread& thread, int64_t result);
  void Keep(Load load);
  void GoOn(pid_t tid, int signal);

  EventLoop* const loop_;
  std::unique_ptr<ChildSignal> signal_;
  pid_t first_ = -1;
  bool is_letting_go_ = false;
  std::string trouble_;
  std::map<pid_t, Thread> threads_;
  std::vector<Load> loads_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_BPF_TRACE_H_
