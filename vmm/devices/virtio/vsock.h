// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_VSOCK_H_
#define KTSTR_VMM_DEVICES_VIRTIO_VSOCK_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "vmm/devices/event_loop.h"
#include "vmm/devices/virtio/virtio_device.h"
#include "vmm/devices/virtio/virtio_registers.h"
#include "vmm/devices/virtio/virtqueue.h"
#include "vmm/devices/virtio/vsock_listener.h"
#include "vmm/devices/virtio/vsock_packet.h"
#include "vmm/devices/virtio/vsock_stream.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// A virtio socket device whose host side is unix sockets.
//
// Guest to host: a connect to host port P becomes a connect to the socket
// `<path>_<P>`; the guest gets RST when nobody listens there. Host to guest: a
// client of the socket `path` sends "CONNECT <port>\n" and, once the guest has
// accepted, reads "OK <host port>\n" and has the stream; the connection is
// closed when the guest refuses. Clients that come before the guest's driver is
// ready wait.
//
// Shape:    stream sockets; half-close both ways. A host peer that closes
//           without reading everything is a SHUTDOWN of both directions for the
//           guest; a guest RST closes the host socket.
// Trust:    queues, headers and payload are guest-controlled: broken rings and
//           packets without a whole header fail the device, everything else
//           resets one stream or is dropped. Peers may be slow or vanish:
//           memory is bounded by max_streams times stream_buffer_bytes plus
//           kMaxPendingResets headers, and nothing blocks.
// Threads:  the event loop's, as VirtioDevice says.
// Lifetime: borrows memory and loop. Removes its listening socket's path at
//           destruction.
// Source:   VIRTIO 1.2 section 5.10.
class Vsock : public VirtioDevice {
 public:
  static constexpr uint16_t kQueueSize = 256;
  // Resets that wait for rx buffers; the oldest are worth most, so further
  // ones are dropped and their senders time out.
  static constexpr size_t kMaxPendingResets = 1024;
  // Host ports of streams that the host opens count up from here.
  static constexpr uint32_t kFirstHostPort = 0x40000000;

  struct Options {
    // See above. Not empty.
    std::string path;
    // At least vsock::kFirstGuestCid.
    uint32_t guest_cid = vsock::kFirstGuestCid;
    // Both directions together. More are refused by RST, or wait in the
    // listener's backlog.
    int max_streams = 512;
    // What one stream may hold of bytes the host has not taken.
    uint32_t stream_buffer_bytes = 256 * 1024;
    // Called once, when the guest opens its first stream.
    std::function<void()> on_first_guest_stream;
  };

  // Errors: InvalidArgument for an option; else as VsockListener::Create.
  static absl::StatusOr<std::unique_ptr<Vsock>> Create(GuestMemory* memory,
                                                       EventLoop* loop,
                                                       Options options);
  ~Vsock() override;

  // VirtioDevice:
  absl::string_view name() const override { return "vsock"; }
  uint32_t device_id() const override { return virtio::kDeviceIdVsock; }
  uint64_t features() const override { return vsock::kFeatureStream; }
  absl::Span<const uint16_t> queue_sizes() const override {
    return kQueueSizes;
  }
  void ReadConfig(uint64_t offset, absl::Span<std::byte> out) const override;
  void Activate(uint64_t features, std::vector<Virtqueue> queues,
                VirtioTransport* transport) override;
  void QueueNotified(int queue) override;
  void Reset() override;

  int stream_count() const { return static_cast<int>(streams_.size()); }

 private:
  static constexpr std::array<uint16_t, vsock::kQueueCount> kQueueSizes = {
      kQueueSize, kQueueSize, kQueueSize};

  // Streams are named by a number that is never used again, so that an event
  // for a stream that is gone finds nothing.
  using StreamId = uint64_t;
  struct Entry {
    Entry(VsockStream::Key key, VsockStream::State state, UniqueFd fd,
          uint32_t buf_alloc)
        : stream(key, state, std::move(fd), buf_alloc) {}
    VsockStream stream;
    bool is_watched = false;
    // In ready_.
    bool is_ready = false;
    // The guest has forgotten it; it lives until its bytes are written.
    bool is_orphan = false;
    // Packets owed to the guest.
    bool owes_request = false;
    bool owes_response = false;
    bool owes_credit_update = false;
    bool owes_credit_request = false;
    bool asked_for_credit = false;
  };

  Vsock(GuestMemory* memory, EventLoop* loop, Options options);

  // ---- From the guest.
  void ProcessTx();
  absl::Status HandleChain(const DescriptorChain& chain);
  void HandlePacket(const vsock::Header& header, const DescriptorChain& chain);
  void HandleRequest(const vsock::Header& header);
  void HandleForStream(StreamId id, const vsock::Header& header,
                       const DescriptorChain& chain);
  void HandleResponse(StreamId id);
  void HandleData(StreamId id, const vsock::Header& header,
                  const DescriptorChain& chain);
  void HandleShutdown(StreamId id, uint32_t flags);
  void HandleReset(StreamId id);

  // ---- To the guest.
  // Fills rx buffers for as long as there are buffers and something to say.
  void PumpRx();
  // Puts one packet into `chain`, if anything is due. The bytes written; zero
  // for nothing.
  absl::StatusOr<uint32_t> FillChain(const DescriptorChain& chain);
  absl::StatusOr<uint32_t> FillFromStream(Entry& entry,
                                          const DescriptorChain& chain);
  absl::StatusOr<uint32_t> FillData(Entry& entry, const DescriptorChain& chain);
  absl::StatusOr<uint32_t> PutHeader(const DescriptorChain& chain,
                                     const vsock::Header& header);
  bool HasSomethingToSay(const Entry& entry) const;
  void MarkReady(StreamId id);
  void OweReset(const vsock::Header& answered);

  // ---- Streams.
  StreamId Add(VsockStream::Key key, VsockStream::State state, UniqueFd fd);
  StreamId IdOf(VsockStream::Key key) const;
  Entry* Find(StreamId id);
  void RequestFromHost(UniqueFd fd, uint32_t guest_port);
  VsockStream::Key UnusedKey(uint32_t guest_port);
  absl::StatusOr<UniqueFd> ConnectToHost(uint32_t host_port) const;
  void SocketEvents(StreamId id, uint32_t events);
  // Ends, or keeps waiting for, what the last event was about.
  void Settle(StreamId id);
  void UpdateWatch(StreamId id, Entry& entry);
  // Forgets the stream and closes its socket.
  void Remove(StreamId id);
  // The same, and tells the guest.
  void Abort(StreamId id);
  void UpdateListener();

  void Fail(const absl::Status& why);
  bool is_active() const { return !queues_.empty(); }
  void InterruptIfWanted(int queue);

  // Constant after construction.
  GuestMemory* const memory_;
  EventLoop* const loop_;
  const Options options_;

  // Between Activate and Reset or failure.
  std::vector<Virtqueue> queues_;
  VirtioTransport* transport_ = nullptr;

  bool saw_guest_stream_ = false;
  uint32_t next_host_port_ = kFirstHostPort;
  StreamId next_id_ = 1;
  std::map<StreamId, std::unique_ptr<Entry>> streams_;
  // Of all but orphans.
  std::map<VsockStream::Key, StreamId> ids_;
  // Streams with something to say, in turn.
  std::deque<StreamId> ready_;
  std::deque<vsock::Header> resets_;

  // Last: its destructor stops the callbacks into the members above.
  std::unique_ptr<VsockListener> listener_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_VSOCK_H_
