// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A guest that sends any packets to a vsock device whose host side is real unix
// sockets: an acceptor, and a client that asks in from outside.
//
// Shape: the input is a sequence of commands of one byte and their parameters;
//        packets name a few ports, so that streams are hit.

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "vmm/devices/testing/fuzz_input.h"
#include "vmm/devices/testing/vsock_guest.h"
#include "vmm/devices/virtio/mmio_transport.h"
#include "vmm/devices/virtio/vsock.h"

namespace ktstr::vmm {
namespace {

using ::ktstr::vmm::testing::FuzzInput;
using ::ktstr::vmm::testing::VsockGuest;

constexpr uint32_t kCid = 3;
constexpr uint32_t kHostPort = 1;
constexpr int kMaxCommands = 32;

UniqueFd MakeSocket() {
  return UniqueFd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

class World {
 public:
  World() : dir_(TempDir::Create("vsock-fuzz-").value()) {
    memory_ = GuestMemory::Create({{.start = GuestPhysAddr(0),
                                    .size_bytes = VsockGuest::kMemoryBytes}})
                  .value();
    loop_ = EventLoop::Create().value();
    path_ = JoinPath(dir_.path(), "v");
    auto device = Vsock::Create(memory_.get(), loop_.get(),
                                {.path = path_,
                                 .guest_cid = kCid,
                                 .max_streams = 8,
                                 .stream_buffer_bytes = 4096})
                      .value();
    transport_ =
        MmioTransport::Create(memory_.get(), loop_.get(), std::move(device), {})
            .value();
    const auto address = UnixAddress(absl::StrCat(path_, "_", kHostPort));
    acceptor_ = MakeSocket();
    if (bind(acceptor_.get(), reinterpret_cast<const sockaddr*>(&*address),
             sizeof(*address)) != 0 ||
        listen(acceptor_.get(), 64) != 0) {
      std::abort();
    }
  }

  void Run(FuzzInput input) {
    guest_ =
        std::make_unique<VsockGuest>(memory_.get(), transport_.get(), kCid);
    guest_->Start(16);
    for (int i = 0; i < kMaxCommands && !input.empty(); ++i) Command(input);
    guest_->registers().Write(0x070, 0);
    peers_.clear();
    Accept();
    peers_.clear();
    RunReady();
  }

 private:
  void Command(FuzzInput& input) {
    const uint8_t command = input.Take<uint8_t>();
    switch (command % 12) {
      case 0:
      case 1:
      case 2:
        Send(input);
        break;
      case 3:
        Accept();
        break;
      case 4:
        ConnectIn(input);
        break;
      case 5:
        if (!peers_.empty()) {
          peers_.erase(peers_.begin() + input.Take<uint8_t>() % peers_.size());
        }
        break;
      case 6:
        for (const UniqueFd& peer : peers_) {
          send(peer.get(), "hello", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        break;
      case 7:
        for (const UniqueFd& peer : peers_) {
          char bytes[4096];
          (void)!recv(peer.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
        }
        break;
      case 8:
        OpenStream(input);
        break;
      case 9:
        OfferAnyTx(input);
        break;
      case 10:
        // Receive() posts a buffer again for each that comes back.
        if (guest_->rx().free_descriptors() < VsockGuest::kQueueSize / 2) break;
        guest_->rx()
            .Chain()
            .Raw(GuestPhysAddr(0x100000), input.Take<uint8_t>() + 1u,
                 input.Take<uint8_t>() % 3)
            .Offer();
        break;
      case 11: {
        std::byte config[8];
        transport_->Read(0x100 + input.Take<uint8_t>() % 16,
                         absl::MakeSpan(config));
        break;
      }
    }
    // Several commands may come before the device's turn.
    if (command & 0x80) return;
    RunReady();
    while (auto packet = guest_->Receive()) {
      last_host_port_ = packet->header.src_port;
    }
  }
  void Send(FuzzInput& input) {
    vsock::Header header;
    const uint8_t how = input.Take<uint8_t>();
    header.src_cid = how & 1 ? input.Take<uint64_t>() : kCid;
    header.dst_cid = how & 2 ? input.Take<uint64_t>() : vsock::kHostCid;
    header.src_port = input.Take<uint8_t>() % 4;
    header.dst_port = how & 4 ? last_host_port_ : kHostPort;
    header.type = how & 8 ? input.Take<uint16_t>() : vsock::kTypeStream;
    header.op = static_cast<vsock::Op>(input.Take<uint8_t>() % 9);
    header.flags = input.Take<uint8_t>();
    header.buf_alloc = how & 16 ? input.Take<uint32_t>() : 65536;
    header.fwd_cnt = input.Take<uint16_t>();
    const std::string payload(Length(input), 'x');
    header.len = how & 32 ? input.Take<uint32_t>()
                          : static_cast<uint32_t>(payload.size());
    guest_->SendRaw(header, payload);
  }
  // Long payloads cost time and lead to little that is new.
  static size_t Length(FuzzInput& input) {
    const uint8_t kind = input.Take<uint8_t>();
    return kind < 240 ? kind : input.Take<uint16_t>() % 8192;
  }
  // A stream as it should be, and data on it.
  void OpenStream(FuzzInput& input) {
    vsock::Header header = guest_->MakeHeader(
        vsock::Op::kRequest, input.Take<uint8_t>() % 4, kHostPort);
    guest_->Send(header);
    RunReady();
    Accept();
    header.op = vsock::Op::kData;
    guest_->Send(header, std::string(Length(input), 'y'));
  }
  // A chain of one or two descriptors of any kind.
  void OfferAnyTx(FuzzInput& input) {
    if (guest_->tx().free_descriptors() < 2) return;
    auto chain = guest_->tx().Chain();
    const uint8_t how = input.Take<uint8_t>();
    for (int i = 0; i <= how % 2; ++i) {
      chain.Raw(GuestPhysAddr(0x200000), 1u + input.Take<uint8_t>(),
                input.Take<uint8_t>() % 3);
    }
    chain.Offer();
    guest_->registers().Notify(vsock::kTxQueue);
  }
  void Accept() {
    int fd;
    while ((fd = accept4(acceptor_.get(), nullptr, nullptr,
                         SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
      peers_.push_back(UniqueFd(fd));
    }
  }
  void ConnectIn(FuzzInput& input) {
    const auto address = UnixAddress(path_);
    UniqueFd fd = MakeSocket();
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
                sizeof(*address)) != 0) {
      return;
    }
    std::string line =
        absl::StrCat("CONNECT ", input.Take<uint8_t>() % 4, "\n");
    if (input.Take<uint8_t>() % 4 == 0) line[input.Take<uint8_t>() % 10] ^= 1;
    send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL);
    peers_.push_back(std::move(fd));
  }
  // Everything settles, or the loop spins.
  void RunReady() {
    for (int rounds = 0; loop_->PollOnce(absl::ZeroDuration()); ++rounds) {
      if (rounds > 10000) std::abort();
    }
  }

  TempDir dir_;
  std::string path_;
  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<MmioTransport> transport_;
  UniqueFd acceptor_;
  std::unique_ptr<VsockGuest> guest_;
  std::vector<UniqueFd> peers_;
  uint32_t last_host_port_ = 0;
};

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  static World* world = new World;
  world->Run(FuzzInput(data, size));
  return 0;
}
