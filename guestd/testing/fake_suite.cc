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
#include <sys/socket.h>
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
       {"KTSTR_TOPOLOGY", "KTSTR_DURATION_MS", "KTSTR_WORKERS",
        "KTSTR_WORK_TYPE", "KTSTR_SEED", "KTSTR_OVERCOMMITTED",
        "KTSTR_SCHED_PID", "KTSTR_CGROUP_ROOT"}) {
    const char* value = getenv(name);
    printf("%s=%s\n", name, value == nullptr ? "(absent)" : value);
  }
  fflush(stdout);
}

// Asks guestd, and prints what it answers.
void Ask(ktstr::v1::ControlRequest::Action action,
         const std::string& last_arg = "") {
  ktstr::v1::ControlRequest request;
  request.set_action(action);
  if (!last_arg.empty()) {
    request.set_has_args(true);
    request.add_args(getenv("FAKE_SYSFS"));
    request.add_args(getenv("FAKE_UEVENTS"));
    request.add_args(last_arg);
  }
  const int fd = atoi(getenv("KTSTR_CONTROL_FD"));
  std::string packet = request.SerializeAsString();
  // An empty packet would be none.
  if (packet.empty()) packet = "?";
  if (send(fd, packet.data(), packet.size(), 0) < 0) _exit(9);
  char answer[4096];
  ssize_t count = recv(fd, answer, sizeof(answer), 0);
  ktstr::v1::ControlResponse response;
  if (count <= 0 || !response.ParseFromArray(answer, count)) _exit(9);
  printf("code=%d pid=%s %s\n", response.code(),
         response.scheduler_pid() > 0 ? "some" : "none",
         response.message().c_str());
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
  } else if (test == "changes-scheduler") {
    using Request = ktstr::v1::ControlRequest;
    Ask(Request::ACTION_UNSPECIFIED);
    Ask(Request::ATTACH);
    Ask(Request::DETACH);
    Ask(Request::DETACH);
    Ask(Request::ATTACH);
    Ask(Request::REPLACE, "attach");
    Ask(Request::REPLACE, "die");
    SendVerdict(true);
  } else if (test == "asks-after-trouble") {
    TouchGo();
    // The end of the scheduler is seen before the question, or with it.
    kill(atoi(getenv("KTSTR_SCHED_PID")), 0);
    while (access((std::string(getenv("FAKE_SYSFS")) + "/root/ops").c_str(),
                  F_OK) == 0) {
      usleep(1000);
    }
    Ask(ktstr::v1::ControlRequest::REPLACE);
    SendVerdict(true);
  } else if (test == "upsets-scheduler") {
    TouchGo();
    Hang();
  } else {
    return 5;
  }
  return 0;
}
