// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a vsock device makes of guests that break the rules.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/status_matchers.h"
#include "vmm/devices/testing/vsock_fixture.h"
#include "vmm/devices/testing/vsock_guest.h"
#include "vmm/devices/virtio/virtio_registers.h"
#include "vmm/devices/virtio/vsock.h"

namespace ktstr::vmm {
namespace {

using ::ktstr::vmm::testing::kCid;
using ::ktstr::vmm::testing::kGuestPort;
using ::ktstr::vmm::testing::kHostPort;
using ::ktstr::vmm::testing::VsockGuest;
using vsock::Op;
using VsockHostileTest = ::ktstr::vmm::testing::VsockFixture;

TEST_F(VsockHostileTest, UnknownStreamsAreReset) {
  guest_->Start();
  for (Op op : {Op::kResponse, Op::kShutdown, Op::kData, Op::kCreditUpdate,
                Op::kCreditRequest, Op::kInvalid, static_cast<Op>(999)}) {
    ASSERT_TRUE(guest_->Send(Packet(op)));
    EXPECT_EQ(Next().header.op, Op::kReset) << static_cast<int>(op);
  }
  ASSERT_TRUE(guest_->Send(Packet(Op::kReset)));
  ExpectNothingForTheGuest();
}

TEST_F(VsockHostileTest, UnknownOperationResetsItsStreamOnly) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd a = OpenFromGuest(listener, 1), b = OpenFromGuest(listener, 2);
  ASSERT_TRUE(guest_->Send(Packet(static_cast<Op>(999), 1)));
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(a), "EOF");
  SendData("alive", 2);
  EXPECT_EQ(ReadSome(b), "alive");
}

TEST_F(VsockHostileTest, WrongAddressesDoNotReachTheHost) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  vsock::Header other = Packet(Op::kRequest);
  other.dst_cid = 77;
  ASSERT_TRUE(guest_->Send(other));
  const VsockGuest::Packet reset = Next();
  EXPECT_EQ(reset.header.op, Op::kReset);
  EXPECT_EQ(reset.header.src_cid, 77u);
  vsock::Header forged = Packet(Op::kRequest);
  forged.src_cid = kCid + 1;
  ASSERT_TRUE(guest_->Send(forged));
  ExpectNothingForTheGuest();
  vsock::Header packets = Packet(Op::kRequest);
  packets.type = 2;
  ASSERT_TRUE(guest_->Send(packets));
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(device_->stream_count(), 0);
}

TEST_F(VsockHostileTest, LengthBeyondThePacketResetsTheStream) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  for (uint32_t len : {5u, 0xffffffffu, 0x7fffffffu}) {
    UniqueFd host = OpenFromGuest(listener);
    vsock::Header lie = Packet(Op::kData);
    lie.len = len;
    ASSERT_TRUE(guest_->SendRaw(lie, "four"));
    EXPECT_EQ(Next().header.op, Op::kReset) << len;
    EXPECT_EQ(ReadSome(host), "EOF");
  }
  EXPECT_OK(failure_);
}

TEST_F(VsockHostileTest, LengthShorterThanThePacketTakesOnlyThat) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  vsock::Header shorter = Packet(Op::kData);
  shorter.len = 2;
  ASSERT_TRUE(guest_->SendRaw(shorter, "four"));
  RunReady();
  EXPECT_EQ(ReadSome(host), "fo");
}

TEST_F(VsockHostileTest, EmptyDataIsHarmless) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  SendData("");
  SendData("x");
  EXPECT_EQ(ReadSome(host), "x");
}

TEST_F(VsockHostileTest, SecondRequestOnALiveStreamResetsIt) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  ASSERT_TRUE(guest_->Send(Packet(Op::kRequest)));
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(host), "EOF");
}

TEST_F(VsockHostileTest, ResponseNobodyAskedForResetsTheStream) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  ASSERT_TRUE(guest_->Send(Packet(Op::kResponse)));
  EXPECT_EQ(Next().header.op, Op::kReset);
}

TEST_F(VsockHostileTest, DataBeforeTheAnswerResetsTheStream) {
  guest_->Start();
  UniqueFd host = ConnectFromHost("CONNECT 77\n");
  const uint32_t host_port = Next().header.src_port;
  SendData("too early", 77, host_port);
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(host), "EOF");
}

TEST_F(VsockHostileTest, BrokenQueuesFailTheDeviceAndCloseTheHost) {
  struct Case {
    absl::string_view name;
    std::function<void(VsockGuest&)> attack;
    int queue;
  };
  const GuestPhysAddr buffer(0x700000);
  const std::vector<Case> cases = {
      {"loop",
       [&](VsockGuest& guest) {
         guest.tx().SetDescriptor(0, buffer, 44, 1, 0);
         guest.tx().OfferHead(0);
       },
       vsock::kTxQueue},
      {"out of range",
       [&](VsockGuest& guest) {
         guest.tx().Chain().Readable(GuestPhysAddr(1ull << 40), 44).Offer();
       },
       vsock::kTxQueue},
      {"writable tx",
       [&](VsockGuest& guest) {
         guest.tx().Chain().Readable(buffer, 44).Writable(buffer, 4).Offer();
       },
       vsock::kTxQueue},
      {"short header",
       [&](VsockGuest& guest) {
         guest.tx().Chain().Readable(buffer, 43).Offer();
       },
       vsock::kTxQueue},
      {"empty descriptor",
       [&](VsockGuest& guest) {
         guest.tx().Chain().Readable(buffer, 44).Readable(buffer, 0).Offer();
       },
       vsock::kTxQueue},
      {"readable rx",
       [&](VsockGuest& guest) {
         guest.rx().Chain().Readable(buffer, 4096).Offer();
       },
       vsock::kRxQueue},
      {"rx without room",
       [&](VsockGuest& guest) {
         guest.rx().Chain().Writable(buffer, 44).Offer();
       },
       vsock::kRxQueue},
  };
  for (const Case& attack : cases) {
    SCOPED_TRACE(std::string(attack.name));
    ASSERT_NO_FATAL_FAILURE(Make({}));
    UniqueFd listener = Listen(kHostPort);
    guest_->Start(/*rx_buffers=*/1);
    guest_->keeps_buffers = true;
    UniqueFd host = OpenFromGuest(listener);
    failure_ = absl::OkStatus();
    Write(host, "something to deliver");
    attack.attack(*guest_);
    guest_->registers().Notify(attack.queue);
    RunReady();
    EXPECT_TRUE(guest_->registers().Status() & virtio::kStatusNeedsReset);
    EXPECT_FALSE(failure_.ok());
    // "something to deliver" was never read: a reset, or an end.
    EXPECT_THAT(ReadSome(host), ::testing::AnyOf("EOF", "RESET"));
    EXPECT_EQ(device_->stream_count(), 0);
    // And the driver can start over.
    guest_->keeps_buffers = false;
    guest_->Start();
    UniqueFd again = OpenFromGuest(listener);
    SendData("hello");
    EXPECT_EQ(ReadSome(again), "hello");
  }
}

TEST_F(VsockHostileTest, GarbageThatWantsAnswersIsBounded) {
  guest_->Start(/*rx_buffers=*/0);
  // Far more than kMaxPendingResets packets to nobody, and no rx buffers.
  for (uint32_t i = 0; i < 4000; ++i) {
    ASSERT_TRUE(guest_->Send(Packet(Op::kData, i), "x"));
    RunReady();
  }
  guest_->PostRxBuffers(VsockGuest::kQueueSize / 2);
  size_t resets = 0;
  while (true) {
    RunReady();
    auto packet = guest_->Receive();
    if (!packet) break;
    EXPECT_EQ(packet->header.op, Op::kReset);
    ++resets;
  }
  EXPECT_EQ(resets, Vsock::kMaxPendingResets);
}

}  // namespace
}  // namespace ktstr::vmm
