// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/loaded_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "guestd/bpf_call.h"

namespace ktstr::guestd {
namespace {

constexpr int kMaxPrograms = 1024;

bool ReadProgram(int fd, bpf_prog_info& info) {
  bpf_attr attr = EmptyBpfAttr();
  attr.info.bpf_fd = fd;
  attr.info.info_len = sizeof(info);
  // SAFETY: a pointer as the kernel's interface wants it; `info` outlives it.
  attr.info.info = reinterpret_cast<uint64_t>(&info);
  return CallBpf(BPF_OBJ_GET_INFO_BY_FD, attr) == 0 && info.id != 0;
}

// The process of a thread; -1 when it is gone.
pid_t ProcessOf(pid_t tid) {
  absl::StatusOr<std::string> status =
      ReadFile(absl::StrCat("/proc/", tid, "/status"), 64 << 10);
  if (!status.ok()) return -1;
  for (absl::string_view line : absl::StrSplit(*status, '\n')) {
    pid_t pid;
    if (absl::ConsumePrefix(&line, "Tgid:") &&
        absl::SimpleAtoi(absl::StripAsciiWhitespace(line), &pid)) {
      return pid;
    }
  }
  return -1;
}

}  // namespace

absl::optional<LoadedProgram> DescribeProgram(pid_t tid, int fd) {
  UniqueFd process(
      static_cast<int>(syscall(SYS_pidfd_open, ProcessOf(tid), 0)));
  if (!process) return absl::nullopt;
  UniqueFd program(
      static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
  if (!program) return absl::nullopt;
  bpf_prog_info info = {};
  if (!ReadProgram(program.get(), info)) return absl::nullopt;
  return LoadedProgram{.id = info.id, .verified_insns = info.verified_insns};
}

bool ProgramExists(uint32_t id) {
  bpf_attr attr = EmptyBpfAttr();
  attr.prog_id = id;
  UniqueFd program(CallBpf(BPF_PROG_GET_FD_BY_ID, attr));
  return program || errno != ENOENT;
}

uint32_t LastProgramId() {
  bpf_attr attr = EmptyBpfAttr();
  while (CallBpf(BPF_PROG_GET_NEXT_ID, attr) == 0) attr.start_id = attr.next_id;
  return attr.start_id;
}

v1::BpfPrograms ProgramsSince(uint32_t id) {
  v1::BpfPrograms programs;
  bpf_attr next = EmptyBpfAttr();
  next.start_id = id;
  while (programs.programs_size() < kMaxPrograms &&
         CallBpf(BPF_PROG_GET_NEXT_ID, next) == 0) {
    next.start_id = next.next_id;
    bpf_attr attr = EmptyBpfAttr();
    attr.prog_id = next.next_id;
    UniqueFd fd(CallBpf(BPF_PROG_GET_FD_BY_ID, attr));
    bpf_prog_info info = {};
    if (!fd || !ReadProgram(fd.get(), info)) continue;
    v1::BpfProgram& program = *programs.add_programs();
    program.set_name(
        std::string(info.name, strnlen(info.name, sizeof(info.name))));
    program.set_type(ProgramTypeName(info.type));
    program.set_is_accepted(true);
    program.set_verified_insns(info.verified_insns);
  }
  if (errno != ENOENT && programs.programs_size() < kMaxPrograms) {
    programs.set_missing(absl::StrCat("the kernel does not list its programs: ",
                                      strerror(errno)));
  }
  return programs;
}

std::string ProgramTypeName(uint32_t type) {
  static constexpr const char* kNames[] = {
      "unspec",
      "socket_filter",
      "kprobe",
      "sched_cls",
      "sched_act",
      "tracepoint",
      "xdp",
      "perf_event",
      "cgroup_skb",
      "cgroup_sock",
      "lwt_in",
      "lwt_out",
      "lwt_xmit",
      "sock_ops",
      "sk_skb",
      "cgroup_device",
      "sk_msg",
      "raw_tracepoint",
      "cgroup_sock_addr",
      "lwt_seg6local",
      "lirc_mode2",
      "sk_reuseport",
      "flow_dissector",
      "cgroup_sysctl",
      "raw_tracepoint_writable",
      "cgroup_sockopt",
      "tracing",
      "struct_ops",
      "ext",
      "lsm",
      "sk_lookup",
      "syscall",
      "netfilter",
  };
  if (type < std::size(kNames)) return kNames[type];
  return absl::StrCat("type ", type);
}

}  // namespace ktstr::guestd
