// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_STREAMING_GUEST_H_
#define KTSTR_VMM_DEVICES_TESTING_STREAMING_GUEST_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "vmm/devices/device.h"
#include "vmm/devices/testing/mmio_driver.h"
#include "vmm/devices/testing/stream_pattern.h"
#include "vmm/devices/testing/virtqueue_driver.h"
#include "vmm/devices/virtio/vsock_packet.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm::testing {

// The guest of a test of many vsock streams: sends all there is to send on each
// as the device's credit permits, compares what comes, and checks with every
// packet that the device keeps to the guest's window and takes back no credit.
//
// Shape:    uses RAM from 0 to kRamBytes.
// Threads:  one, which is another than the device's.
// Lifetime: borrows memory, device and pattern.
// Errors:   fail the running test and end Run().
class StreamingGuest {
 public:
  static constexpr uint64_t kRamBytes = 32 << 20;

  // `interrupt_fd` is an eventfd, signalled for each interrupt of the device.
  StreamingGuest(GuestMemory* memory, IoDevice* device,
                 const StreamPattern* pattern, StreamPlan plan,
                 int interrupt_fd);

  // Starts the device and asks for the streams it opens.
  void Start();

  // Blocks: until every stream has been closed by both sides.
  void Run();

 private:
  struct Stream {
    bool is_open = false;
    uint64_t sent = 0;
    uint64_t received = 0;
    // The window of the device, and what we said of ours.
    uint32_t host_window = 0;
    uint32_t host_forwarded = 0;
    uint64_t reported = 0;
    bool said_no_more = false;
    bool host_said_no_more = false;
    bool said_goodbye = false;
    bool is_closed = false;
    std::vector<vsock::Op> owed;
  };

  VirtqueueDriver& rx() { return *queues_[vsock::kRxQueue]; }
  VirtqueueDriver& tx() { return *queues_[vsock::kTxQueue]; }

  void Post(int slot);
  void Owe(int stream, vsock::Op op) { streams_[stream].owed.push_back(op); }

  void Wait();

  bool Receive();
  void TakePacket(GuestPhysAddr at, uint32_t size);
  void TakeData(int index, GuestPhysAddr at, uint32_t size);

  // One packet of each stream in turn, so that none waits for another.
  bool Send();
  bool SendFor(int index);
  void Put(int index, vsock::Op op, uint32_t size, uint32_t flags = 0);

  GuestMemory* const memory_;
  const StreamPattern* const pattern_;
  const StreamPlan plan_;
  const int interrupt_fd_;
  MmioDriver registers_;
  std::vector<std::unique_ptr<VirtqueueDriver>> queues_;
  std::vector<Stream> streams_;
  std::vector<uint32_t> host_ports_;

  std::vector<int> rx_slots_, tx_slots_, free_slots_;
  int next_to_send_ = 0;
  int closed_ = 0;
};

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_STREAMING_GUEST_H_
