// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A suite binary that behaves as its test's name says:
//
//   fake_suite --ktstr-run NAME
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <string>

#include "proto/test_frame.pb.h"

namespace {

int frames_fd = -1;

void WriteRaw(const std::string& bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    ssize_t count = write(frames_fd, bytes.data() + at, bytes.size() - at);
    if (count <= 0) _exit(9);
    at += count;
  }
}

void Send(const ktstr::v1::TestFrame& frame) {
  std::string payload = frame.SerializeAsString();
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += char(payload.size() >> (8 * i) & 0xff);
  WriteRaw(bytes + payload);
}

void SendStarted() {
  ktstr::v1::TestFrame frame;
  frame.set_started(true);
  Send(frame);
}

void SendStimulus(int step) {
  ktstr::v1::TestFrame frame;
  frame.mutable_stimulus()->set_step(step);
  Send(frame);
}

void SendVerdict(bool passed) {
  ktstr::v1::TestFrame frame;
  frame.mutable_verdict()->set_passed(passed);
  Send(frame);
}

void PrintEnvironment() {
  for (const char* name :
       {"KTSTR_TOPOLOGY", "KTSTR_DURATION_MS", "KTSTR_WORKERS", "KTSTR_SEED",
        "KTSTR_OVERCOMMITTED", "KTSTR_SCHED_PID", "KTSTR_CGROUP_ROOT"}) {
    const char* value = getenv(name);
    printf("%s=%s\n", name, value == nullptr ? "(absent)" : value);
  }
  fflush(stdout);
}

// Leaves a process behind that keeps every descriptor open.
void LeaveChild() {
  if (fork() == 0) {
    pause();
    _exit(0);
  }
}

void Hang() {
  while (true) pause();
}

// What the kernel does while it still has announced nothing.
void UnloadQuietly() {
  std::string path = std::string(getenv("FAKE_SYSFS")) + "/state";
  FILE* file = fopen(path.c_str(), "w");
  fputs("disabling\n", file);
  fclose(file);
}

void TouchGo() {
  std::string path = std::string(getenv("FAKE_SYSFS")) + "/go";
  fclose(fopen(path.c_str(), "w"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || strcmp(argv[1], "--ktstr-run") != 0) return 2;
  if (getenv("KTSTR_FRAMES_FD") == nullptr) return 2;
  frames_fd = atoi(getenv("KTSTR_FRAMES_FD"));
  std::string test = argv[2];
  if (test == "cannot-start") return 4;
  SendStarted();
  if (test == "passes") {
    PrintEnvironment();
    SendStimulus(1);
    SendStimulus(2);
    SendVerdict(true);
  } else if (test == "fails") {
    SendVerdict(false);
    return 1;
  } else if (test == "crashes") {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  } else if (test == "hangs") {
    Hang();
  } else if (test == "writes-garbage") {
    WriteRaw(std::string(64, '\xff'));
    Hang();
  } else if (test == "talks-after-verdict") {
    SendVerdict(true);
    SendVerdict(false);
  } else if (test == "leaves-child") {
    LeaveChild();
    SendVerdict(true);
  } else if (test == "floods") {
    std::string line(1 << 16, 'x');
    for (int i = 0; i < 64; ++i) fwrite(line.data(), 1, line.size(), stdout);
    SendVerdict(true);
  } else if (test == "passes-while-unloading") {
    UnloadQuietly();
    SendVerdict(true);
  } else if (test == "upsets-scheduler") {
    TouchGo();
    Hang();
  } else {
    return 5;
  }
  return 0;
}
