// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Loads BPF programs, one an argument, HOW:NAME, and prints of each what came
// of it, "NAME errno=N attr=same log=BYTES".
//
// HOW is any of these words, joined by '+':
//   good    a program without fault
//   bad     one that the verifier refuses
//   log     asks for a log (level 1)
//   close   closes what it has loaded at once
//   thread  from a thread of its own
//   fork    from a process of its own
// "exec:" starts the rest of the arguments as a program of its own; "stay:"
// prints "staying" and waits for SIGTERM; "spin:" the same, computing.
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

namespace {

constexpr bpf_insn kReturnZero = {
    .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0};
// R3 was never written.
constexpr bpf_insn kReadNothing = {
    .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 0, .src_reg = 3};
constexpr bpf_insn kExit = {.code = BPF_JMP | BPF_EXIT};

std::atomic<bool> never = false;

bool Has(const std::string& how, const char* word) {
  return ("+" + how + "+").find(std::string("+") + word + "+") !=
         std::string::npos;
}

void Load(const std::string& how, const std::string& name) {
  const bpf_insn insns[] = {Has(how, "bad") ? kReadNothing : kReturnZero,
                            kExit};
  static char log[64 << 10];
  log[0] = '\0';
  bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = 2;
  attr.insns = reinterpret_cast<uint64_t>(insns);
  attr.license = reinterpret_cast<uint64_t>("GPL");
  strncpy(attr.prog_name, name.c_str(), sizeof(attr.prog_name) - 1);
  if (Has(how, "log")) {
    attr.log_level = 1;
    attr.log_size = sizeof(log);
    attr.log_buf = reinterpret_cast<uint64_t>(log);
  }
  const bpf_attr before = attr;
  errno = 0;
  int fd =
      static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
  int error = errno;
  // Behind them the kernel answers (log_true_size).
  bool is_same = memcmp(&attr, &before, offsetof(bpf_attr, prog_ifindex)) == 0;
  printf("%s errno=%d attr=%s log=%zu\n", name.c_str(), error,
         is_same ? "same" : "changed", strlen(log));
  fflush(stdout);
  if (fd >= 0 && Has(how, "close")) close(fd);
}

void LoadSomewhere(const std::string& how, const std::string& name) {
  if (Has(how, "thread")) {
    std::thread(Load, how, name).join();
  } else if (Has(how, "fork")) {
    pid_t pid = fork();
    if (pid == 0) {
      Load(how, name);
      _exit(0);
    }
    waitpid(pid, nullptr, 0);
  } else {
    Load(how, name);
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    size_t colon = argument.find(':');
    if (colon == std::string::npos) return 2;
    std::string how = argument.substr(0, colon);
    if (how == "exec") {
      argv[i] = argv[0];
      execv("/proc/self/exe", argv + i);
      return 3;
    }
    if (how == "stay" || how == "spin") {
      // A thread that makes no system call, and one that sleeps in one.
      std::thread([] { pause(); }).detach();
      if (how == "spin") {
        std::thread([] {
          while (!never) {
          }
        }).detach();
      }
      printf("staying\n");
      fflush(stdout);
      while (true) pause();
    }
    LoadSomewhere(how, argument.substr(colon + 1));
  }
  return 0;
}
