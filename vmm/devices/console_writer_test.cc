// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/console_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"

namespace ktstr::vmm {
namespace {

class ConsoleWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    auto loop = EventLoop::Create();
    ASSERT_OK(loop);
    loop_ = *std::move(loop);
    int fds[2];
    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    reader_.Reset(fds[0]);
    writer_end_.Reset(fds[1]);
    ASSERT_EQ(fcntl(reader_.get(), F_SETFL, O_NONBLOCK), 0);
    writer_ = std::make_unique<ConsoleWriter>(loop_.get(), writer_end_.get());
  }
  void TearDown() override { writer_.reset(); }

  void Append(absl::string_view text) { writer_->Append(text); }
  // What the reader has, after all work that is ready.
  std::string Received() {
    do {
      Take();
    } while (loop_->PollOnce(absl::ZeroDuration()));
    return received_;
  }
  void Take() {
    char buffer[65536];
    ssize_t n;
    while ((n = read(reader_.get(), buffer, sizeof(buffer))) > 0) {
      received_.append(buffer, n);
    }
  }

  std::unique_ptr<EventLoop> loop_;
  UniqueFd reader_, writer_end_;
  std::unique_ptr<ConsoleWriter> writer_;
  std::string received_;
};

TEST_F(ConsoleWriterTest, LineArrivesAtItsNewline) {
  Append("hello\n");
  EXPECT_EQ(Received(), "hello\n");
}

TEST_F(ConsoleWriterTest, IncompleteLineArrivesAfterTheLinger) {
  Append("login: ");
  while (Received().empty()) ASSERT_TRUE(loop_->PollOnce(absl::Seconds(10)));
  EXPECT_EQ(received_, "login: ");
}

TEST_F(ConsoleWriterTest, BytesOneByOneAreTheSameText) {
  for (char c : absl::string_view("one by one\n")) writer_->Append(c);
  EXPECT_EQ(Received(), "one by one\n");
}

TEST_F(ConsoleWriterTest, TextBeyondTheRoomIsCutAndCounted) {
  const std::string text(ConsoleWriter::kMaxPendingBytes + 1000, 'x');
  Append(text);
  Append("y");
  EXPECT_EQ(Received(), text.substr(1000) + "\n[console: 1001 bytes lost]\n");
}

TEST_F(ConsoleWriterTest, FirstByteIsReportedOnceEvenIfDiscarded) {
  int reported = 0;
  ConsoleWriter writer(loop_.get(), /*fd=*/-1, [&] { ++reported; });
  writer.Append("");
  EXPECT_EQ(reported, 0);
  writer.Append("x");
  writer.Append("y");
  EXPECT_EQ(reported, 1);
}

TEST_F(ConsoleWriterTest, SlowReaderLosesTheNewestBytesAndIsTold) {
  const size_t pipe_bytes = fcntl(reader_.get(), F_GETPIPE_SZ);
  const std::string line(99, 'x');
  const size_t total = pipe_bytes + 2 * ConsoleWriter::kMaxPendingBytes;
  // Nobody reads: the pipe fills, then the buffer, and no call blocks.
  for (size_t sent = 0; sent < total; sent += 100) {
    Append(line + "\n");
    loop_->PollOnce(absl::ZeroDuration());
  }
  Received();
  Append("after\n");
  const std::string text = Received();
  const size_t mark = text.find("[console: ");
  ASSERT_NE(mark, std::string::npos);
  int lost = 0;
  ASSERT_EQ(sscanf(text.c_str() + mark, "[console: %d bytes lost]\n", &lost),
            1);
  EXPECT_GT(lost, 0);
  // Everything is either there or counted.
  const size_t mark_bytes = text.find("]\n", mark) + 2 - (mark - 1);
  EXPECT_EQ(text.size() - mark_bytes - 6 + lost, (total + 99) / 100 * 100);
  EXPECT_TRUE(absl::EndsWith(text, "after\n"));
}

TEST_F(ConsoleWriterTest, VanishedReaderIsForgotten) {
  reader_.Reset();
  for (int i = 0; i < 3; ++i) {
    Append("into the void\n");
    while (loop_->PollOnce(absl::ZeroDuration())) {
    }
  }
  writer_->Finish(absl::Hours(1));
}

TEST_F(ConsoleWriterTest, OverloadedLoopIsAskedAgain) {
  while (loop_->Post([] {}).ok()) {
  }
  Append("first\n");
  while (loop_->PollOnce(absl::ZeroDuration())) {
  }
  Append("second\n");
  EXPECT_EQ(Received(), "first\nsecond\n");
}

TEST_F(ConsoleWriterTest, FinishWritesWhatWaits) {
  Append("no newline");
  writer_->Finish(absl::Seconds(10));
  Take();
  EXPECT_EQ(received_, "no newline");
}

TEST_F(ConsoleWriterTest, FinishGivesUpOnAReaderThatDoesNotRead) {
  Append(std::string(ConsoleWriter::kMaxPendingBytes, 'x'));
  writer_->Finish(absl::Milliseconds(1));
  Take();
  EXPECT_LT(received_.size(), ConsoleWriter::kMaxPendingBytes);
}

TEST_F(ConsoleWriterTest, RegularFileTakesEverything) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("console-"));
  const std::string path = JoinPath(dir.path(), "log");
  ASSERT_OK_AND_ASSIGN(UniqueFd file, OpenFile(path, O_RDWR | O_CREAT));
  ConsoleWriter writer(loop_.get(), file.get());
  const std::string text(200 * 1000, 'x');
  for (char c : text) writer.Append(c);
  while (loop_->PollOnce(absl::ZeroDuration())) {
  }
  writer.Finish(absl::Seconds(10));
  ASSERT_OK_AND_ASSIGN(std::string content, ReadFile(path));
  EXPECT_EQ(content, text);
}

TEST_F(ConsoleWriterTest, SocketWorksLikeAPipe) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  UniqueFd ours(fds[0]), theirs(fds[1]);
  ConsoleWriter writer(loop_.get(), ours.get());
  for (char c : absl::string_view("hello\n")) writer.Append(c);
  while (loop_->PollOnce(absl::ZeroDuration())) {
  }
  char text[6];
  ASSERT_EQ(recv(theirs.get(), text, 6, MSG_DONTWAIT), 6);
  EXPECT_EQ(absl::string_view(text, 6), "hello\n");
}

}  // namespace
}  // namespace ktstr::vmm
