// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/vsock.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "vmm/devices/testing/vsock_guest.h"
#include "vmm/devices/virtio/mmio_transport.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;
using ::ktstr::vmm::testing::VsockGuest;
using ::testing::HasSubstr;
using vsock::Op;

constexpr uint32_t kCid = 5;
constexpr uint32_t kGuestPort = 900;
constexpr uint32_t kHostPort = 1024;
constexpr uint32_t kBufferBytes = 64 * 1024;

class VsockTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(Make({})); }

  void Make(Vsock::Options options) {
    transport_.reset();
    auto memory = GuestMemory::Create(
        {{.start = GuestPhysAddr(0), .size_bytes = VsockGuest::kMemoryBytes}});
    ASSERT_OK(memory);
    memory_ = *std::move(memory);
    auto loop = EventLoop::Create();
    ASSERT_OK(loop);
    loop_ = *std::move(loop);
    auto dir = TempDir::Create("vsock-");
    ASSERT_OK(dir);
    dir_ = std::make_unique<TempDir>(*std::move(dir));
    path_ = JoinPath(dir_->path(), "v");
    options.path = path_;
    options.guest_cid = kCid;
    options.stream_buffer_bytes = kBufferBytes;
    options.on_first_guest_stream = [this] { ++first_streams_; };
    auto device = Vsock::Create(memory_.get(), loop_.get(), options);
    ASSERT_OK(device);
    device_ = device->get();
    auto transport = MmioTransport::Create(
        memory_.get(), loop_.get(), *std::move(device),
        {.interrupt = [this] { ++interrupts_; },
         .on_failure = [this](const absl::Status& why) { failure_ = why; }});
    ASSERT_OK(transport);
    transport_ = *std::move(transport);
    guest_ =
        std::make_unique<VsockGuest>(memory_.get(), transport_.get(), kCid);
    guest_->buf_alloc = kBufferBytes;
  }

  void RunReady() {
    while (loop_->PollOnce(absl::ZeroDuration())) {
    }
  }
  // The next packet for the guest, which must come without further ado.
  VsockGuest::Packet Next() {
    RunReady();
    std::optional<VsockGuest::Packet> packet = guest_->Receive();
    EXPECT_TRUE(packet.has_value()) << "no packet for the guest";
    return packet.value_or(VsockGuest::Packet{});
  }
  void ExpectNothingForTheGuest() {
    RunReady();
    std::optional<VsockGuest::Packet> packet = guest_->Receive();
    EXPECT_FALSE(packet.has_value())
        << "op " << static_cast<int>(packet->header.op);
  }

  UniqueFd Listen(uint32_t port) {
    auto address = UnixAddress(absl::StrCat(path_, "_", port));
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
                   sizeof(*address)),
              0);
    EXPECT_EQ(listen(fd.get(), 1000), 0);
    return fd;
  }
  static UniqueFd Accept(const UniqueFd& listener) {
    UniqueFd fd(accept4(listener.get(), nullptr, nullptr,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    EXPECT_TRUE(fd.is_valid()) << "nobody connected";
    return fd;
  }
  UniqueFd ConnectFromHost(absl::string_view line) {
    auto address = UnixAddress(path_);
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
                      sizeof(*address)),
              0);
    Write(fd, line);
    return fd;
  }
  static void Write(const UniqueFd& fd, absl::string_view text) {
    ASSERT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // What is there; "EOF" or "RESET" at the end of the stream, "" for nothing.
  static std::string ReadSome(const UniqueFd& fd, size_t max = 1 << 20) {
    std::string text(max, '\0');
    const ssize_t n = recv(fd.get(), text.data(), max, MSG_DONTWAIT);
    if (n == 0) return "EOF";
    if (n < 0) return errno == EAGAIN ? "" : "RESET";
    text.resize(n);
    return text;
  }

  vsock::Header Packet(Op op, uint32_t guest_port = kGuestPort,
                       uint32_t host_port = kHostPort) {
    return guest_->MakeHeader(op, guest_port, host_port);
  }
  void SendData(absl::string_view payload, uint32_t guest_port = kGuestPort,
                uint32_t host_port = kHostPort) {
    ASSERT_TRUE(
        guest_->Send(Packet(Op::kData, guest_port, host_port), payload));
    RunReady();
  }
  // A stream the guest opened, its host end.
  UniqueFd OpenFromGuest(const UniqueFd& listener,
                         uint32_t guest_port = kGuestPort) {
    EXPECT_TRUE(guest_->Send(Packet(Op::kRequest, guest_port)));
    EXPECT_EQ(Next().header.op, Op::kResponse);
    return Accept(listener);
  }

  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<TempDir> dir_;
  std::string path_;
  Vsock* device_ = nullptr;
  std::unique_ptr<MmioTransport> transport_;
  std::unique_ptr<VsockGuest> guest_;
  int interrupts_ = 0;
  int first_streams_ = 0;
  absl::Status failure_;
};

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

// ---- Hostile guests.

TEST_F(VsockTest, UnknownStreamsAreReset) {
  guest_->Start();
  for (Op op : {Op::kResponse, Op::kShutdown, Op::kData, Op::kCreditUpdate,
                Op::kCreditRequest, Op::kInvalid, static_cast<Op>(999)}) {
    ASSERT_TRUE(guest_->Send(Packet(op)));
    EXPECT_EQ(Next().header.op, Op::kReset) << static_cast<int>(op);
  }
  ASSERT_TRUE(guest_->Send(Packet(Op::kReset)));
  ExpectNothingForTheGuest();
}

TEST_F(VsockTest, UnknownOperationResetsItsStreamOnly) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd a = OpenFromGuest(listener, 1), b = OpenFromGuest(listener, 2);
  ASSERT_TRUE(guest_->Send(Packet(static_cast<Op>(999), 1)));
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(a), "EOF");
  SendData("alive", 2);
  EXPECT_EQ(ReadSome(b), "alive");
}

TEST_F(VsockTest, WrongAddressesDoNotReachTheHost) {
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

TEST_F(VsockTest, LengthBeyondThePacketResetsTheStream) {
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

TEST_F(VsockTest, LengthShorterThanThePacketTakesOnlyThat) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  vsock::Header shorter = Packet(Op::kData);
  shorter.len = 2;
  ASSERT_TRUE(guest_->SendRaw(shorter, "four"));
  RunReady();
  EXPECT_EQ(ReadSome(host), "fo");
}

TEST_F(VsockTest, EmptyDataIsHarmless) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  SendData("");
  SendData("x");
  EXPECT_EQ(ReadSome(host), "x");
}

TEST_F(VsockTest, SecondRequestOnALiveStreamResetsIt) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  ASSERT_TRUE(guest_->Send(Packet(Op::kRequest)));
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(host), "EOF");
}

TEST_F(VsockTest, ResponseNobodyAskedForResetsTheStream) {
  UniqueFd listener = Listen(kHostPort);
  guest_->Start();
  UniqueFd host = OpenFromGuest(listener);
  ASSERT_TRUE(guest_->Send(Packet(Op::kResponse)));
  EXPECT_EQ(Next().header.op, Op::kReset);
}

TEST_F(VsockTest, DataBeforeTheAnswerResetsTheStream) {
  guest_->Start();
  UniqueFd host = ConnectFromHost("CONNECT 77\n");
  const uint32_t host_port = Next().header.src_port;
  SendData("too early", 77, host_port);
  EXPECT_EQ(Next().header.op, Op::kReset);
  EXPECT_EQ(ReadSome(host), "EOF");
}

TEST_F(VsockTest, BrokenQueuesFailTheDeviceAndCloseTheHost) {
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

TEST_F(VsockTest, GarbageThatWantsAnswersIsBounded) {
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

// ---- Volume.

// A guest that keeps the credit rules for many echo streams at once.
class Endpoint {
 public:
  Endpoint(uint32_t port, size_t total) : port(port), total(total) {}

  char ByteAt(size_t i) const {
    return static_cast<char>((i * 31 + port * 7) % 251);
  }

  const uint32_t port;
  const size_t total;
  size_t sent = 0;
  size_t received = 0;
  uint32_t host_buf_alloc = 0;
  uint32_t host_fwd_cnt = 0;
  bool is_open = false;
};

class VsockVolumeTest : public VsockTest {
 protected:
  void SendSome(Endpoint& end) {
    const uint32_t in_flight =
        static_cast<uint32_t>(end.sent) - end.host_fwd_cnt;
    ASSERT_LE(in_flight, end.host_buf_alloc);
    const size_t n = std::min(
        {end.total - end.sent,
         static_cast<size_t>(end.host_buf_alloc - in_flight), size_t{30000}});
    if (n == 0) return;
    std::string payload(n, '\0');
    for (size_t i = 0; i < n; ++i) payload[i] = end.ByteAt(end.sent + i);
    vsock::Header header = Packet(Op::kData, end.port);
    header.fwd_cnt = static_cast<uint32_t>(end.received);
    if (guest_->Send(header, payload)) end.sent += n;
  }
  void Take(Endpoint& end, const VsockGuest::Packet& packet) {
    end.host_buf_alloc = packet.header.buf_alloc;
    end.host_fwd_cnt = packet.header.fwd_cnt;
    switch (packet.header.op) {
      case Op::kResponse:
        end.is_open = true;
        break;
      case Op::kCreditUpdate:
        break;
      case Op::kData: {
        for (char c : packet.payload) {
          ASSERT_EQ(c, end.ByteAt(end.received)) << "at " << end.received;
          ++end.received;
        }
        break;
      }
      case Op::kCreditRequest:
        break;
      default:
        FAIL() << "op " << static_cast<int>(packet.header.op);
    }
  }
  void SendCredit(const Endpoint& end) {
    vsock::Header header = Packet(Op::kCreditUpdate, end.port);
    header.fwd_cnt = static_cast<uint32_t>(end.received);
    guest_->Send(header);
  }
  // Opens all, sends and receives all, against an echo on the host.
  void RunAll(std::vector<Endpoint>& ends) {
    std::map<uint32_t, Endpoint*> by_port;
    for (Endpoint& end : ends) by_port[end.port] = &end;
    size_t opening = 0, done = 0;
    while (done < ends.size()) {
      if (opening < ends.size() &&
          guest_->Send(Packet(Op::kRequest, ends[opening].port))) {
        ++opening;
      }
      while (auto packet = guest_->Receive()) {
        Endpoint& end = *by_port.at(packet->header.dst_port);
        ASSERT_NO_FATAL_FAILURE(Take(end, *packet));
        if (packet->header.op == Op::kData) SendCredit(end);
      }
      done = 0;
      for (Endpoint& end : ends) {
        if (end.is_open) {
          ASSERT_NO_FATAL_FAILURE(SendSome(end));
        }
        done += end.received == end.total;
      }
      Step();
    }
  }
  // Lets the host side work.
  virtual void Step() = 0;
};

class VsockEchoTest : public VsockVolumeTest {
 protected:
  void Step() override {
    loop_->PollOnce(absl::ZeroDuration());
    int fd;
    while ((fd = accept4(listener_.get(), nullptr, nullptr,
                         SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
      peers_.push_back({UniqueFd(fd), ""});
    }
    for (Peer& peer : peers_) {
      char buffer[8192];
      if (peer.waiting.empty()) {
        const ssize_t n = recv(peer.fd.get(), buffer, sizeof(buffer), 0);
        if (n > 0) peer.waiting.assign(buffer, n);
      }
      const ssize_t n =
          send(peer.fd.get(), peer.waiting.data(), peer.waiting.size(), 0);
      if (n > 0) peer.waiting.erase(0, n);
    }
  }
  struct Peer {
    UniqueFd fd;
    std::string waiting;
  };
  UniqueFd listener_;
  std::vector<Peer> peers_;
};

TEST_F(VsockEchoTest, MegabytesGoRoundWithoutLoss) {
  listener_ = Listen(kHostPort);
  guest_->Start();
  std::vector<Endpoint> ends;
  ends.emplace_back(kGuestPort, 8 << 20);
  RunAll(ends);
}

TEST_F(VsockEchoTest, SixtyFourStreamsGoRoundTogether) {
  listener_ = Listen(kHostPort);
  guest_->Start();
  std::vector<Endpoint> ends;
  for (uint32_t i = 0; i < 64; ++i) ends.emplace_back(1000 + i, 200'000 + i);
  RunAll(ends);
  EXPECT_EQ(device_->stream_count(), 64);
}

// Device loop, guest and echoing host on three threads.
class VsockThreadsTest : public VsockVolumeTest {
 protected:
  void Step() override {}
};

void EchoUntilEnd(int fd) {
  char buffer[8192];
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
    for (ssize_t at = 0; at < n;) {
      const ssize_t sent = send(fd, buffer + at, n - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += sent;
    }
  }
}

TEST_F(VsockThreadsTest, EchoAcrossThreads) {
  UniqueFd listener = Listen(kHostPort);
  fcntl(listener.get(), F_SETFL, 0);
  Thread loop("loop", [this] { loop_->Run(); });
  Thread echo("echo", [&] {
    UniqueFd peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EchoUntilEnd(peer.get());
  });
  guest_->Start();
  std::vector<Endpoint> ends;
  ends.emplace_back(kGuestPort, 1 << 20);
  RunAll(ends);
  guest_->registers().Write(0x070, 0);
  echo.Join();
  loop_->Stop();
  loop.Join();
}

}  // namespace
}  // namespace ktstr::vmm
