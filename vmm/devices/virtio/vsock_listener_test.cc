// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/vsock_listener.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/status_matchers.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class VsockListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loop = EventLoop::Create();
    ASSERT_OK(loop);
    loop_ = *std::move(loop);
    auto dir = TempDir::Create("vsock-");
    ASSERT_OK(dir);
    dir_ = std::make_unique<TempDir>(*std::move(dir));
    path_ = JoinPath(dir_->path(), "v");
    auto listener = VsockListener::Create(loop_.get(), path_,
                                          [this](UniqueFd fd, uint32_t port) {
                                            sockets_.push_back(std::move(fd));
                                            ports_.push_back(port);
                                          });
    ASSERT_OK(listener);
    listener_ = *std::move(listener);
    listener_->Resume();
  }
  UniqueFd Connect() {
    auto address = UnixAddress(path_);
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
                      sizeof(*address)),
              0);
    return fd;
  }
  static void Send(const UniqueFd& fd, absl::string_view text) {
    ASSERT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void RunReady() {
    while (loop_->PollOnce(absl::ZeroDuration())) {
    }
  }
  // The listener closed its end.
  static bool IsClosed(const UniqueFd& fd) {
    char byte;
    return recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<TempDir> dir_;
  std::string path_;
  std::vector<UniqueFd> sockets_;
  std::vector<uint32_t> ports_;
  std::unique_ptr<VsockListener> listener_;
};

TEST_F(VsockListenerTest, LineBecomesARequestAndTheRestStays) {
  UniqueFd client = Connect();
  Send(client, "CONNECT 1024\nearly");
  RunReady();
  ASSERT_THAT(ports_, ElementsAre(1024));
  char text[16];
  EXPECT_EQ(recv(sockets_[0].get(), text, sizeof(text), 0), 5);
  EXPECT_EQ(absl::string_view(text, 5), "early");
}

TEST_F(VsockListenerTest, LineMayComeInPieces) {
  UniqueFd client = Connect();
  for (absl::string_view part : {"CON", "NECT 4294967", "294", "\n"}) {
    EXPECT_THAT(ports_, IsEmpty());
    Send(client, part);
    RunReady();
  }
  EXPECT_THAT(ports_, ElementsAre(4294967294));
}

TEST_F(VsockListenerTest, AnythingElseIsClosed) {
  for (absl::string_view line :
       {"connect 5\n", "CONNECT\n", "CONNECT \n", "CONNECT -1\n",
        "CONNECT +1\n", "CONNECT  1\n", "CONNECT 1 \n", "CONNECT 4294967295\n",
        "CONNECT 4294967296\n", "GET / HTTP/1.1\r\n", "\n",
        "CONNECT 00000000000000000000000001\n"}) {
    UniqueFd client = Connect();
    Send(client, line);
    RunReady();
    char byte;
    // Reset when the listener left bytes unread, closed otherwise.
    EXPECT_LE(recv(client.get(), &byte, 1, MSG_DONTWAIT), 0) << line;
    EXPECT_NE(errno, EAGAIN) << line;
    errno = 0;
  }
  EXPECT_THAT(ports_, IsEmpty());
}

TEST_F(VsockListenerTest, VanishedClientIsForgotten) {
  Connect();
  RunReady();
  EXPECT_THAT(ports_, IsEmpty());
}

TEST_F(VsockListenerTest, SilentClientsDoNotKeepOthersOutForEver) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < VsockListener::kMaxHandshakes; ++i) {
    silent.push_back(Connect());
  }
  RunReady();
  UniqueFd client = Connect();
  Send(client, "CONNECT 7\n");
  RunReady();
  EXPECT_THAT(ports_, IsEmpty());
  silent.pop_back();
  RunReady();
  EXPECT_THAT(ports_, ElementsAre(7));
}

TEST_F(VsockListenerTest, PausedListenerLetsClientsWait) {
  listener_->Pause();
  UniqueFd client = Connect();
  Send(client, "CONNECT 7\n");
  RunReady();
  EXPECT_THAT(ports_, IsEmpty());
  listener_->Resume();
  RunReady();
  EXPECT_THAT(ports_, ElementsAre(7));
}

TEST_F(VsockListenerTest, DropEndsHandshakes) {
  UniqueFd client = Connect();
  RunReady();
  listener_->DropHandshakes();
  EXPECT_TRUE(IsClosed(client));
}

TEST_F(VsockListenerTest, PathIsRemovedAndMustNotExist) {
  EXPECT_THAT(VsockListener::Create(loop_.get(), path_, nullptr),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_TRUE(FileExists(path_));
  listener_.reset();
  EXPECT_FALSE(FileExists(path_));
}

TEST_F(VsockListenerTest, PathMustFitAnAddress) {
  EXPECT_THAT(UnixAddress(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(UnixAddress(std::string(107, 'x')));
  EXPECT_THAT(UnixAddress(std::string(108, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr::vmm
