// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A scheduler process and the kernel it would attach to, in one program:
//
//   fake_scheduler SYSFS_DIR UEVENT_SOCKET MODE
//
// UEVENT_SOCKET.kmsg gets the kernel's messages.
//
// Modes:
//   attach       attaches; detaches and ends on SIGINT
//   die          prints a line and ends with code 3 before attaching
//   never        stays without attaching
//   stubborn     attaches; detaches on SIGINT but does not end
//   crash-later  attaches, is killed by SIGKILL as soon as SYSFS_DIR/go exists
//   unload       attaches; the kernel unloads it when SYSFS_DIR/go exists, the
//                process lives on
//
// Each first asks the kernel for one real BPF program, "fake_program".
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

namespace {

constexpr char kDetached[] = "unregistered from user space";

std::string dir;
std::string socket_path;

void WriteText(const std::string& path, const std::string& text) {
  std::string temporary = path + ".new";
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (write(fd, text.data(), text.size()) < 0) perror("write");
  close(fd);
  rename(temporary.c_str(), path.c_str());
}

void SendTo(const std::string& path, const std::string& text) {
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (sendto(fd, text.data(), text.size(), 0,
             reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
    perror("announce");
  }
  close(fd);
}

void Announce(const std::string& action) {
  SendTo(socket_path, action + "@/kernel/sched_ext/root");
}

void Log(const std::string& text) {
  SendTo(socket_path + ".kmsg", "3,1,1,-;" + text + "\n");
}

void Attach() {
  mkdir((dir + "/root").c_str(), 0755);
  WriteText(dir + "/root/ops", "fake\n");
  WriteText(dir + "/state", "enabled\n");
  Announce("add");
}

// In the order of the kernel: said, then announced, while "disabling".
void Detach(const std::string& reason) {
  WriteText(dir + "/state", "disabling\n");
  Log("sched_ext: BPF scheduler \"fake\" disabled (" + reason + ")");
  if (reason != kDetached) {
    Log("sched_ext: fake: worker[7] failed to run for 1.500s");
    Log("   frame+0x1/0x2");
  }
  unlink((dir + "/root/ops").c_str());
  Announce("remove");
  WriteText(dir + "/state", "disabled\n");
}

// Whether the kernel accepts it depends on who runs the test.
void LoadProgram() {
  const bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
                            {.code = BPF_JMP | BPF_EXIT}};
  bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = 2;
  attr.insns = reinterpret_cast<uint64_t>(insns);
  attr.license = reinterpret_cast<uint64_t>("GPL");
  strncpy(attr.prog_name, "fake_program", sizeof(attr.prog_name) - 1);
  syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

void AwaitGo() {
  int fd = inotify_init1(IN_CLOEXEC);
  inotify_add_watch(fd, dir.c_str(), IN_CREATE | IN_MOVED_TO);
  char buffer[4096];
  while (access((dir + "/go").c_str(), F_OK) != 0) {
    if (read(fd, buffer, sizeof(buffer)) <= 0) return;
  }
}

void AwaitSignal(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  int received = 0;
  sigwait(&set, &received);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  dir = argv[1];
  socket_path = argv[2];
  std::string mode = argv[3];
  // Taken by sigwait instead of ending the process.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  printf("fake scheduler: %s\n", mode.c_str());
  fflush(stdout);
  LoadProgram();
  if (mode == "die") {
    fprintf(stderr, "cannot load: no such program\n");
    return 3;
  }
  if (mode == "never") pause();
  Attach();
  if (mode == "stubborn") {
    AwaitSignal(SIGINT);
    Detach(kDetached);
    pause();
  }
  if (mode == "crash-later" || mode == "unload") {
    AwaitGo();
    Detach(mode == "unload" ? "runnable task stall" : kDetached);
    if (mode == "crash-later") raise(SIGKILL);
  }
  AwaitSignal(SIGINT);
  if (mode == "attach") Detach(kDetached);
  return 0;
}
