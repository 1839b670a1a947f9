// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/hello.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <utility>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

std::string Framed(const std::string& body) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) {
    bytes.push_back(static_cast<char>(body.size() >> (8 * i)));
  }
  return bytes + body;
}

ktstr::v1::Hello GoodHello() {
  ktstr::v1::Hello hello;
  hello.set_protocol(1);
  hello.set_epoch(3);
  hello.set_nonce("abcd");
  return hello;
}

TEST(HelloParserTest, TakesOneByteAtATime) {
  HelloParser parser;
  std::string bytes = Framed(GoodHello().SerializeAsString());
  for (size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(auto hello, parser.Append(bytes.substr(i, 1)));
    EXPECT_EQ(hello.has_value(), i + 1 == bytes.size());
  }
}

TEST(HelloParserTest, RefusesLengthsOutOfRange) {
  for (std::string bytes :
       {std::string("\0\0\0\0", 4), std::string("\x01\0\x01\0", 4),
        std::string("\xff\xff\xff\xff", 4)}) {
    HelloParser parser;
    EXPECT_THAT(parser.Append(bytes),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(HelloParserTest, RefusesBytesBehindTheHello) {
  HelloParser parser;
  EXPECT_THAT(parser.Append(Framed(GoodHello().SerializeAsString()) + "x"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(HelloParserTest, RefusesAFlood) {
  HelloParser parser;
  EXPECT_THAT(parser.Append(std::string(70000, '\1')),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(CheckHelloTest, NamesWhatDiffers) {
  EXPECT_OK(CheckHello(GoodHello(), 3, "abcd"));
  EXPECT_THAT(CheckHello(GoodHello(), 4, "abcd"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("epoch 3, expected 4")));
  EXPECT_THAT(CheckHello(GoodHello(), 3, "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nonce")));
  ktstr::v1::Hello hello = GoodHello();
  hello.set_protocol(2);
  EXPECT_THAT(
      CheckHello(hello, 3, "abcd"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("protocol 2")));
}

class HelloListenerTest : public ::testing::Test {
 protected:
  HelloListenerTest()
      : dir_(*TempDir::Create("hl-")),
        path_(JoinPath(dir_.path(), "v_1024")),
        listener_(*HelloListener::Create(path_, 3, "abcd")) {}

  UniqueFd Dial() {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path_.data(), path_.size());
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
                      sizeof(address)),
              0)
        << strerror(errno);
    return fd;
  }

  TempDir dir_;
  std::string path_;
  HelloListener listener_;
};

TEST_F(HelloListenerTest, TakesTheGoodAmongTheBad) {
  UniqueFd garbage = Dial();
  ASSERT_OK(WriteAll(garbage.get(), Framed(std::string(50, '\xff'))));
  UniqueFd silent = Dial();
  UniqueFd stale = Dial();
  ktstr::v1::Hello old = GoodHello();
  old.set_epoch(2);
  ASSERT_OK(WriteAll(stale.get(), Framed(old.SerializeAsString())));
  listener_.HandleEvents();
  EXPECT_FALSE(listener_.hello().has_value());
  EXPECT_THAT(listener_.refused(), HasSubstr("epoch 2"));

  UniqueFd good = Dial();
  ASSERT_OK(WriteAll(good.get(), Framed(GoodHello().SerializeAsString())));
  listener_.HandleEvents();
  ASSERT_TRUE(listener_.hello().has_value());
  EXPECT_GE(listener_.connection(), 0);
  std::vector<pollfd> polled;
  listener_.AddPollFds(&polled);
  EXPECT_TRUE(polled.empty());
}

TEST_F(HelloListenerTest, GivesUpAfterManyBadOnes) {
  for (int i = 0; i < HelloListener::kMaxRefused; ++i) {
    Dial().Reset();
    listener_.HandleEvents();
  }
  EXPECT_TRUE(listener_.is_exhausted());
}

TEST(ListenOnUnixSocketTest, NamesTheFlagWhenThePathIsTooLong) {
  EXPECT_THAT(
      ListenOnUnixSocket("/tmp/" + std::string(200, 'x')),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--run-dir")));
}

}  // namespace
}  // namespace ktstr::hostd
