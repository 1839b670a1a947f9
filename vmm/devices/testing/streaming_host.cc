// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/testing/streaming_host.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "vmm/devices/virtio/vsock_listener.h"

namespace ktstr::vmm::testing {

StreamingHost::StreamingHost(std::string path, const StreamPattern* pattern,
                             StreamPlan plan)
    : path_(std::move(path)),
      pattern_(pattern),
      plan_(plan),
      programs_(plan_.streams) {}

void StreamingHost::Start() {
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  for (int i = 0; i < plan_.streams; ++i) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const std::string path =
        StreamPlan::IsOpenedByGuest(i)
            ? absl::StrCat(path_, "_", StreamPlan::kHostPort + i)
            : path_;
    ASSERT_OK_AND_ASSIGN(const sockaddr_un address, UnixAddress(path));
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    if (StreamPlan::IsOpenedByGuest(i)) {
      ASSERT_EQ(bind(fd.get(), generic, sizeof(address)), 0);
      ASSERT_EQ(listen(fd.get(), 1), 0);
      programs_[i].listener = std::move(fd);
      Watch(i, EPOLLIN, EPOLL_CTL_ADD);
      continue;
    }
    ASSERT_EQ(connect(fd.get(), generic, sizeof(address)), 0);
    const std::string line =
        absl::StrCat("CONNECT ", StreamPlan::kGuestPort + i, "\n");
    ASSERT_EQ(send(fd.get(), line.data(), line.size(), 0),
              ssize_t(line.size()));
    programs_[i].stream = std::move(fd);
    Watch(i, EPOLLIN, EPOLL_CTL_ADD);
  }
}

void StreamingHost::Run() {
  while (finished_ < plan_.streams && !::testing::Test::HasFailure()) {
    std::vector<epoll_event> events(plan_.streams);
    const int count = epoll_wait(epoll_.get(), events.data(), plan_.streams,
                                 StreamPlan::kPatienceMs);
    ASSERT_GT(count, 0) << "nothing happens on the host; " << finished_
                        << " of its programs are through";
    for (int i = 0; i < count; ++i) Serve(events[i].data.u32);
  }
  // What the streams never said is not lost: their ends close now.
  for (Program& program : programs_) program.stream.Reset();
}

void StreamingHost::Watch(int index, uint32_t events, int how) {
  Program& program = programs_[index];
  epoll_event event = {.events = events, .data = {.u32 = uint32_t(index)}};
  const int fd = program.stream ? program.stream.get() : program.listener.get();
  ASSERT_EQ(epoll_ctl(epoll_.get(), how, fd, &event), 0);
}

void StreamingHost::Serve(int index) {
  Program& program = programs_[index];
  if (!program.stream) {
    program.stream.Reset(accept4(program.listener.get(), nullptr, nullptr,
                                 SOCK_CLOEXEC | SOCK_NONBLOCK));
    ASSERT_TRUE(program.stream.is_valid());
    program.listener.Reset();
    program.is_open = true;
    return Watch(index, Wanted(index), EPOLL_CTL_ADD);
  }
  if (!program.is_open) return TakeAnswer(index);
  if (Reads(index)) Read(index);
  if (program.sent < plan_.stream_bytes) Write(index);
  if (program.saw_end && program.sent == plan_.stream_bytes) Finish(index);
  Watch(index, Wanted(index), EPOLL_CTL_MOD);
}

void StreamingHost::TakeAnswer(int index) {
  Program& program = programs_[index];
  // To the line's end and no further: data follows.
  std::string line;
  char byte;
  while (!absl::EndsWith(line, "\n") &&
         recv(program.stream.get(), &byte, 1, 0) == 1) {
    line.push_back(byte);
  }
  ASSERT_TRUE(absl::StartsWith(line, "OK ") && absl::EndsWith(line, "\n"))
      << line;
  program.is_open = true;
  Watch(index, Wanted(index), EPOLL_CTL_MOD);
}

bool StreamingHost::Reads(int index) const {
  if (programs_[index].saw_end) return false;
  return index != plan_.late_reader || finished_ == plan_.streams - 1;
}

uint32_t StreamingHost::Wanted(int index) const {
  return (Reads(index) ? uint32_t{EPOLLIN} : 0) |
         (programs_[index].sent < plan_.stream_bytes ? uint32_t{EPOLLOUT} : 0);
}

void StreamingHost::Read(int index) {
  Program& program = programs_[index];
  const ssize_t n =
      recv(program.stream.get(), buffer_.data(), buffer_.size(), 0);
  if (n < 0) {
    ASSERT_EQ(errno, EAGAIN) << "stream " << index;
    return;
  }
  if (n == 0) {
    ASSERT_EQ(program.received, plan_.stream_bytes) << "stream " << index;
    program.saw_end = true;
    return;
  }
  ASSERT_LE(program.received + uint64_t(n), plan_.stream_bytes);
  ASSERT_TRUE(pattern_->Matches(index, /*is_from_guest=*/true, program.received,
                                buffer_.data(), size_t(n)))
      << "stream " << index << " at " << program.received;
  program.received += uint64_t(n);
}

void StreamingHost::Write(int index) {
  Program& program = programs_[index];
  const uint64_t at =
      StreamPattern::IndexOf(index, /*is_from_guest=*/false, program.sent);
  const size_t size = std::min<uint64_t>(StreamPlan::kMaxPayload,
                                         plan_.stream_bytes - program.sent);
  const ssize_t n = send(program.stream.get(), pattern_->bytes().data() + at,
                         size, MSG_NOSIGNAL);
  if (n < 0) {
    ASSERT_EQ(errno, EAGAIN) << "stream " << index;
    return;
  }
  program.sent += uint64_t(n);
  if (program.sent == plan_.stream_bytes) {
    ASSERT_EQ(shutdown(program.stream.get(), SHUT_WR), 0);
  }
}

void StreamingHost::Finish(int index) {
  if (std::exchange(programs_[index].is_finished, true)) return;
  ++finished_;
  // Its turn to read has come.
  if (finished_ == plan_.streams - 1 && index != plan_.late_reader) {
    Watch(plan_.late_reader, Wanted(plan_.late_reader), EPOLL_CTL_MOD);
  }
}

}  // namespace ktstr::vmm::testing
