// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_VSOCK_FIXTURE_H_
#define KTSTR_VMM_DEVICES_TESTING_VSOCK_FIXTURE_H_

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "vmm/devices/event_loop.h"
#include "vmm/devices/testing/vsock_guest.h"
#include "vmm/devices/virtio/mmio_transport.h"
#include "vmm/devices/virtio/vsock.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm::testing {

using vsock::Op;

inline constexpr uint32_t kCid = 5;
inline constexpr uint32_t kGuestPort = 900;
inline constexpr uint32_t kHostPort = 1024;
inline constexpr uint32_t kBufferBytes = 64 * 1024;

// A vsock device between a fake guest and real unix sockets. The test is the
// event loop: nothing happens but in RunReady and what calls it.
class VsockFixture : public ::testing::Test {
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

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_VSOCK_FIXTURE_H_
