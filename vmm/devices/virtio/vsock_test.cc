// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/vsock.h"

#include <sys/socket.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "vmm/devices/testing/vsock_fixture.h"
#include "vmm/devices/testing/vsock_guest.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;
using ::ktstr::vmm::testing::kBufferBytes;
using ::ktstr::vmm::testing::kCid;
using ::ktstr::vmm::testing::kGuestPort;
using ::ktstr::vmm::testing::kHostPort;
using ::ktstr::vmm::testing::VsockGuest;
using ::testing::HasSubstr;
using vsock::Op;
using VsockTest = ::ktstr::vmm::testing::VsockFixture;

// ---- Opening.

TEST_F(VsockTest, ConfigurationIsTheGuestCid) {
  EXPECT_EQ(guest_->registers().Read(0x100), kCid);
  EXPECT_EQ(guest_->registers().Read(0x104), 0u);
  EXPECT_EQ(guest_->registers().Read(0x108), 0u);
}

TEST_F(VsockTest, GuestReachesAListenerOnTheHost) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  ASSERT_TRUE(guest_->Send(Packet(Op::kRequest)));
  const VsockGuest::Packet response = Next();
  EXPECT_EQ(response.header.op, Op::kResponse);
  EXPECT_EQ(response.header.src_cid, vsock::kHostCid);
  EXPECT_EQ(response.header.dst_cid, kCid);
  EXPECT_EQ(response.header.src_port, kHostPort);
  EXPECT_EQ(response.header.dst_port, kGuestPort);
  EXPECT_EQ(response.header.buf_alloc, kBufferBytes);
  UniqueFd host = Accept(listener);
  EXPECT_EQ(first_streams_, 1);
  EXPECT_GT(interrupts_, 0);

  SendData("ping");
  EXPECT_EQ(ReadSome(host), "ping");
  Write(host, "pong");
  const VsockGuest::Packet pong = Next();
  EXPECT_EQ(pong.header.op, Op::kData);
  EXPECT_EQ(pong.header.len, 4u);
  EXPECT_EQ(pong.header.fwd_cnt, 4u);
  EXPECT_EQ(pong.payload, "pong");
  OpenFromGuest(listener, kGuestPort + 1);
  EXPECT_EQ(first_streams_, 1);
}

TEST_F(VsockTest, GuestIsRefusedWhereNobodyListens) {
  guest_->Start();
  ASSERT_TRUE(guest_->Send(Packet(Op::kRequest)));
  const VsockGuest::Packet reset = Next();
  EXPECT_EQ(reset.header.op, Op::kReset);
  EXPECT_EQ(reset.header.src_port, kHostPort);
  EXPECT_EQ(reset.header.dst_port, kGuestPort);
  EXPECT_EQ(device_->stream_count(), 0);
  EXPECT_EQ(first_streams_, 0);
}

TEST_F(VsockTest, HostReachesAListenerInTheGuest) {
  guest_->Start();
  UniqueFd host = ConnectFromHost("CONNECT 77\nearly");
  const VsockGuest::Packet request = Next();
  EXPECT_EQ(request.header.op, Op::kRequest);
  EXPECT_EQ(request.header.dst_port, 77u);
  EXPECT_EQ(ReadSome(host), "");
  const uint32_t host_port = request.header.src_port;
  ASSERT_TRUE(guest_->Send(Packet(Op::kResponse, 77, host_port)));
  const VsockGuest::Packet early = Next();
  EXPECT_EQ(early.payload, "early");
  EXPECT_EQ(ReadSome(host), absl::StrCat("OK ", host_port, "\n"));
  SendData("hello", 77, host_port);
  EXPECT_EQ(ReadSome(host), "hello");
  EXPECT_EQ(first_streams_, 0);
}

TEST_F(VsockTest, HostIsClosedWhenTheGuestRefuses) {
  guest_->Start();
  UniqueFd host = ConnectFromHost("CONNECT 77\n");
  const uint32_t host_port = Next().header.src_port;
  ASSERT_TRUE(guest_->Send(Packet(Op::kReset, 77, host_port)));
  RunReady();
  EXPECT_EQ(ReadSome(host), "EOF");
  EXPECT_EQ(device_->stream_count(), 0);
}

TEST_F(VsockTest, HostThatGivesUpBeforeTheAnswerResetsTheGuest) {
  guest_->Start();
  UniqueFd host = ConnectFromHost("CONNECT 77\n");
  EXPECT_EQ(Next().header.op, Op::kRequest);
  host.Reset();
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(device_->stream_count(), 0);
}

TEST_F(VsockTest, ClientsThatComeBeforeTheDriverWait) {
  UniqueFd host = ConnectFromHost("CONNECT 77\n");
  RunReady();
  EXPECT_EQ(device_->stream_count(), 0);
  guest_->Start();
  EXPECT_EQ(Next().header.op, Op::kRequest);
}

TEST_F(VsockTest, StreamsAreBounded) {
  ASSERT_NO_FATAL_FAILURE(Make({.max_streams = 2}));
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd a = OpenFromGuest(listener, 1), b = OpenFromGuest(listener, 2);
  ASSERT_TRUE(guest_->Send(Packet(Op::kRequest, 3)));
  EXPECT_EQ(Next().header.op, Op::kReset);
  // A host client waits its turn instead.
  UniqueFd client = ConnectFromHost("CONNECT 77\n");
  ExpectNothingForTheGuest();
  ASSERT_TRUE(guest_->Send(Packet(Op::kReset, 1)));
  EXPECT_EQ(Next().header.op, Op::kRequest);
}

// ---- Credit.

TEST_F(VsockTest, HostDataStopsAtTheGuestsCreditAndGoesOn) {
  UniqueFd listener = Listen(kHostPort);
  guest_->buf_alloc = 6;
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  Write(host, "0123456789");
  EXPECT_EQ(Next().payload, "012345");
  EXPECT_EQ(Next().header.op, Op::kCreditRequest);
  ExpectNothingForTheGuest();
  vsock::Header update = Packet(Op::kCreditUpdate);
  // An answer without credit does not start an endless conversation.
  ASSERT_TRUE(guest_->Send(update));
  ExpectNothingForTheGuest();
  update.fwd_cnt = 3;
  ASSERT_TRUE(guest_->Send(update));
  EXPECT_EQ(Next().payload, "678");
  EXPECT_EQ(Next().header.op, Op::kCreditRequest);
  update.fwd_cnt = 9;
  ASSERT_TRUE(guest_->Send(update));
  EXPECT_EQ(Next().payload, "9");
  ExpectNothingForTheGuest();
}

TEST_F(VsockTest, GuestThatShrinksItsBufferGetsNothing) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  Write(host, "0123456789");
  EXPECT_EQ(Next().payload.size(), 10u);
  vsock::Header lie = Packet(Op::kCreditUpdate);
  lie.buf_alloc = 4;
  lie.fwd_cnt = 0x80000000;
  ASSERT_TRUE(guest_->Send(lie));
  Write(host, "more");
  EXPECT_EQ(Next().header.op, Op::kCreditRequest);
  ExpectNothingForTheGuest();
}

TEST_F(VsockTest, GuestDataWaitsForASlowReaderAndCreditComesBack) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  // Fill the socket, then the stream's buffer: nothing is lost.
  const std::string chunk(16 * 1024, 'x');
  uint32_t sent = 0, forwarded = 0;
  while (sent - forwarded + chunk.size() <= kBufferBytes) {
    SendData(chunk);
    sent += chunk.size();
    while (auto packet = guest_->Receive()) {
      ASSERT_EQ(packet->header.op, Op::kCreditUpdate);
      forwarded = packet->header.fwd_cnt;
    }
    ASSERT_LT(sent, 64u << 20) << "the socket never filled";
  }
  EXPECT_GT(sent, kBufferBytes);
  uint32_t received = 0;
  while (received < sent) {
    received += ReadSome(host).size();
    RunReady();
  }
  EXPECT_EQ(received, sent);
  while (auto packet = guest_->Receive()) forwarded = packet->header.fwd_cnt;
  EXPECT_LT(sent - forwarded, kBufferBytes / 4);
}

TEST_F(VsockTest, GuestThatIgnoresItsCreditIsReset) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  const std::string chunk(VsockGuest::kMaxPayloadBytes, 'x');
  bool is_reset = false;
  for (int i = 0; i < 1000 && !is_reset; ++i) {
    SendData(chunk);
    while (auto packet = guest_->Receive()) {
      is_reset |= packet->header.op == Op::kReset;
    }
  }
  EXPECT_TRUE(is_reset);
  EXPECT_EQ(device_->stream_count(), 0);
  EXPECT_OK(failure_);
}

TEST_F(VsockTest, CreditRequestIsAnswered) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  SendData("12345");
  ASSERT_TRUE(guest_->Send(Packet(Op::kCreditRequest)));
  const VsockGuest::Packet update = Next();
  EXPECT_EQ(update.header.op, Op::kCreditUpdate);
  EXPECT_EQ(update.header.fwd_cnt, 5u);
}

TEST_F(VsockTest, HostDataWaitsForRxBuffers) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start(/*rx_buffers=*/1);
  UniqueFd host = OpenFromGuest(listener);
  guest_->keeps_buffers = true;
  Write(host, std::string(VsockGuest::kRxBufferBytes, 'x'));
  EXPECT_EQ(Next().payload.size(),
            VsockGuest::kRxBufferBytes - vsock::kHeaderBytes);
  ExpectNothingForTheGuest();
  guest_->PostRxBuffers(1);
  EXPECT_EQ(Next().payload.size(), vsock::kHeaderBytes);
}

// ---- Ending.

TEST_F(VsockTest, HostHalfCloseIsAShutdownAndTheGuestMayStillSend) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  Write(host, "last");
  ASSERT_EQ(shutdown(host.get(), SHUT_WR), 0);
  EXPECT_EQ(Next().payload, "last");
  const VsockGuest::Packet shut = Next();
  EXPECT_EQ(shut.header.op, Op::kShutdown);
  EXPECT_EQ(shut.header.flags, vsock::kShutdownSend);
  SendData("answer");
  EXPECT_EQ(ReadSome(host), "answer");
  ASSERT_EQ(device_->stream_count(), 1);
  // The guest closes; the clean end is a reset.
  vsock::Header close = Packet(Op::kShutdown);
  close.flags = vsock::kShutdownBoth;
  ASSERT_TRUE(guest_->Send(close));
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(host), "EOF");
  EXPECT_EQ(device_->stream_count(), 0);
}

TEST_F(VsockTest, GuestHalfCloseReachesTheHostAfterTheData) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  SendData("last");
  vsock::Header half = Packet(Op::kShutdown);
  half.flags = vsock::kShutdownSend;
  ASSERT_TRUE(guest_->Send(half));
  RunReady();
  EXPECT_EQ(ReadSome(host), "last");
  EXPECT_EQ(ReadSome(host), "EOF");
  Write(host, "answer");
  EXPECT_EQ(Next().payload, "answer");
  host.Reset();
  const VsockGuest::Packet shut = Next();
  EXPECT_EQ(shut.header.op, Op::kShutdown);
  EXPECT_EQ(shut.header.flags, vsock::kShutdownBoth);
  ASSERT_TRUE(guest_->Send(Packet(Op::kReset)));
  RunReady();
  EXPECT_EQ(device_->stream_count(), 0);
}

TEST_F(VsockTest, DataAfterTheGuestSaidNoMoreIsAReset) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  vsock::Header half = Packet(Op::kShutdown);
  half.flags = vsock::kShutdownSend;
  ASSERT_TRUE(guest_->Send(half));
  SendData("more");
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(host), "EOF");
}

TEST_F(VsockTest, GuestResetClosesTheHost) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  ASSERT_TRUE(guest_->Send(Packet(Op::kReset)));
  RunReady();
  EXPECT_EQ(ReadSome(host), "EOF");
  ExpectNothingForTheGuest();
  EXPECT_EQ(device_->stream_count(), 0);
}

TEST_F(VsockTest, GuestThatClosesWithoutWaitingLosesNothing) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  // A reader so slow that bytes wait in the device.
  const int small = 4096;
  setsockopt(host.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  const std::string chunk(16 * 1024, 'x');
  uint32_t sent = 0, forwarded = 0;
  while (sent - forwarded + chunk.size() <= kBufferBytes) {
    SendData(chunk);
    sent += chunk.size();
    while (auto packet = guest_->Receive()) forwarded = packet->header.fwd_cnt;
  }
  vsock::Header close = Packet(Op::kShutdown);
  close.flags = vsock::kShutdownBoth;
  ASSERT_TRUE(guest_->Send(close));
  ASSERT_TRUE(guest_->Send(Packet(Op::kReset)));
  RunReady();
  // The guest may use the port again at once.
  UniqueFd again = OpenFromGuest(listener);
  uint32_t received = 0;
  while (true) {
    const std::string text = ReadSome(host);
    if (text == "EOF") break;
    ASSERT_NE(text, "RESET");
    received += text.size();
    RunReady();
  }
  EXPECT_EQ(received, sent);
  EXPECT_EQ(device_->stream_count(), 1);
}

TEST_F(VsockTest, VanishedHostEndsBothDirections) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  Write(host, "bye");
  SendData("never read");
  host.Reset();
  EXPECT_EQ(Next().payload, "bye");
  const VsockGuest::Packet shut = Next();
  EXPECT_EQ(shut.header.op, Op::kShutdown);
  EXPECT_EQ(shut.header.flags, vsock::kShutdownBoth);
  // What the guest still sends goes nowhere, without harm.
  SendData("anyone?");
  ExpectNothingForTheGuest();
  EXPECT_FALSE(loop_->PollOnce(absl::ZeroDuration())) << "the loop spins";
}

TEST_F(VsockTest, PortThatIsUsedAnewAfterTheHostVanishedWorks) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  OpenFromGuest(listener).Reset();
  EXPECT_EQ(Next().header.op, Op::kShutdown);
  UniqueFd host = OpenFromGuest(listener);
  SendData("fresh");
  EXPECT_EQ(ReadSome(host), "fresh");
}

TEST_F(VsockTest, DriverResetClosesEverythingAndTheDeviceWorksAgain) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  guest_->registers().Write(0x070, 0);
  EXPECT_EQ(ReadSome(host), "EOF");
  EXPECT_EQ(device_->stream_count(), 0);
  guest_->Start();
  UniqueFd again = OpenFromGuest(listener);
  SendData("hello");
  EXPECT_EQ(ReadSome(again), "hello");
}

TEST_F(VsockTest, DestructionRemovesTheListeningPath) {
  EXPECT_TRUE(FileExists(path_));
  transport_.reset();
  EXPECT_FALSE(FileExists(path_));
}

TEST_F(VsockTest, CreateRefusesBadOptions) {
  const auto create = [&](Vsock::Options options) {
    return Vsock::Create(memory_.get(), loop_.get(), options).status();
  };
  EXPECT_THAT(create({.path = path_ + "2", .guest_cid = 2}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("CID 2")));
  // The path fits, `<path>_<P>` would not.
  EXPECT_THAT(create({.path = std::string(100, 'x')}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(create({.path = path_}),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

}  // namespace
}  // namespace ktstr::vmm
