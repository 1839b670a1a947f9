// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Many bytes and many streams through a vsock device, none lost.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "base/thread.h"
#include "vmm/devices/testing/vsock_fixture.h"
#include "vmm/devices/testing/vsock_guest.h"
#include "vmm/devices/virtio/vsock.h"

namespace ktstr::vmm {
namespace {

using ::ktstr::vmm::testing::kGuestPort;
using ::ktstr::vmm::testing::kHostPort;
using ::ktstr::vmm::testing::VsockGuest;
using vsock::Op;

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

class VsockVolumeTest : public testing::VsockFixture {
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
