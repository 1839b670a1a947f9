// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/testing/streaming_guest.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "absl/types/span.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm::testing {

using vsock::Header;
using vsock::Op;

namespace {

constexpr uint32_t kGuestWindow = 256 * 1024;

// Guest memory.
constexpr uint16_t kRing = 256;
constexpr GuestPhysAddr kQueues(0x10000);
constexpr GuestPhysAddr kHeaders(0x80000);
constexpr GuestPhysAddr kRxBuffers(0x100000);
constexpr GuestPhysAddr kPattern(0x1800000);
constexpr uint32_t kRxBufferBytes =
    StreamPlan::kMaxPayload + vsock::kHeaderBytes;
constexpr uint64_t kRxStride = StreamPlan::kMaxPayload + 4096;
constexpr int kRxBufferCount = 128;
constexpr uint64_t kHeaderStride = 64;

}  // namespace

StreamingGuest::StreamingGuest(GuestMemory* memory, IoDevice* device,
                               const StreamPattern* pattern, StreamPlan plan,
                               int interrupt_fd)
    : memory_(memory),
      pattern_(pattern),
      plan_(plan),
      interrupt_fd_(interrupt_fd),
      registers_(device),
      streams_(plan_.streams),
      host_ports_(plan_.streams),
      rx_slots_(kRing),
      tx_slots_(kRing) {}

void StreamingGuest::Start() {
  ASSERT_OK(memory_->Write(kPattern,
                           std::as_bytes(std::span(pattern_->bytes().data(),
                                                   pattern_->bytes().size()))));
  ASSERT_TRUE(
      registers_.Negotiate(virtio::kFeatureVersion1 | vsock::kFeatureStream));
  for (int queue = 0; queue < vsock::kQueueCount; ++queue) {
    queues_.push_back(std::make_unique<VirtqueueDriver>(
        memory_, kQueues + queue * VirtqueueDriver::FootprintBytes(), kRing));
    registers_.SetUpQueue(queue, queues_.back()->layout());
  }
  registers_.SetDriverOk();
  for (int slot = 0; slot < kRxBufferCount; ++slot) Post(slot);
  registers_.Notify(vsock::kRxQueue);
  for (int slot = 0; slot < kRing / 2; ++slot) free_slots_.push_back(slot);
  for (int i = 0; i < plan_.streams; ++i) {
    if (StreamPlan::IsOpenedByGuest(i)) Owe(i, Op::kRequest);
  }
}

void StreamingGuest::Run() {
  while (closed_ < plan_.streams && !::testing::Test::HasFailure()) {
    bool is_busy = Receive();
    is_busy |= Send();
    if (!is_busy) Wait();
  }
}

void StreamingGuest::Post(int slot) {
  rx_slots_[rx().Chain()
                .Writable(kRxBuffers + uint64_t(slot) * kRxStride,
                          kRxBufferBytes)
                .Offer()] = slot;
}

void StreamingGuest::Wait() {
  pollfd interrupt = {.fd = interrupt_fd_, .events = POLLIN, .revents = 0};
  ASSERT_GT(poll(&interrupt, 1, StreamPlan::kPatienceMs), 0)
      << "no interrupt; " << closed_ << " streams are closed";
  eventfd_t count;
  eventfd_read(interrupt_fd_, &count);
}

bool StreamingGuest::Receive() {
  int count = 0;
  while (std::optional<VirtqueueDriver::Used> used = rx().TakeUsed()) {
    const int slot = rx_slots_[used->head];
    TakePacket(kRxBuffers + uint64_t(slot) * kRxStride, used->written_bytes);
    Post(slot);
    ++count;
  }
  if (count > 0) registers_.Notify(vsock::kRxQueue);
  return count > 0;
}

void StreamingGuest::TakePacket(GuestPhysAddr at, uint32_t size) {
  std::array<std::byte, vsock::kHeaderBytes> bytes;
  ASSERT_GE(size, bytes.size());
  ASSERT_OK(memory_->Read(at, absl::MakeSpan(bytes)));
  const Header header = vsock::ParseHeader(bytes);
  ASSERT_EQ(header.len, size - bytes.size());
  ASSERT_GE(header.dst_port, StreamPlan::kGuestPort);
  ASSERT_LT(header.dst_port, StreamPlan::kGuestPort + plan_.streams);
  const int index = int(header.dst_port - StreamPlan::kGuestPort);
  Stream& stream = streams_[index];
  // A reset says nothing about credit.
  if (header.op != Op::kReset) {
    stream.host_window = header.buf_alloc;
    stream.host_forwarded = header.fwd_cnt;
    ASSERT_LE(uint32_t(stream.sent) - header.fwd_cnt, header.buf_alloc)
        << "the device took back credit";
  }
  switch (header.op) {
    case Op::kRequest:
      ASSERT_FALSE(StreamPlan::IsOpenedByGuest(index));
      host_ports_[index] = header.src_port;
      stream.is_open = true;
      return Owe(index, Op::kResponse);
    case Op::kResponse:
      stream.is_open = true;
      return;
    case Op::kCreditUpdate:
      return;
    case Op::kCreditRequest:
      return Owe(index, Op::kCreditUpdate);
    case Op::kData:
      return TakeData(index, at + vsock::kHeaderBytes, header.len);
    case Op::kShutdown:
      // Its program has left: it had all it wanted from us, but what it sent
      // may still be on its way.
      if (header.flags & vsock::kShutdownReceive) {
        ASSERT_TRUE(stream.said_no_more) << "stream " << index;
      }
      if (!(header.flags & vsock::kShutdownSend)) return;
      ASSERT_EQ(stream.received, plan_.stream_bytes) << "stream " << index;
      stream.host_said_no_more = true;
      return;
    case Op::kReset:
      ASSERT_TRUE(stream.said_no_more && stream.host_said_no_more)
          << "stream " << index << " was reset after " << stream.sent
          << " bytes sent and " << stream.received << " received";
      ASSERT_FALSE(stream.is_closed);
      stream.is_closed = true;
      ++closed_;
      return;
    default:
      FAIL() << "op " << int(header.op);
  }
}

void StreamingGuest::TakeData(int index, GuestPhysAddr at, uint32_t size) {
  Stream& stream = streams_[index];
  ASSERT_FALSE(stream.host_said_no_more);
  ASSERT_LE(stream.received + size - stream.reported, kGuestWindow)
      << "the device does not respect our window";
  std::vector<iovec> pieces;
  ASSERT_OK(memory_->AppendIovecs(at, size, pieces));
  ASSERT_EQ(pieces.size(), 1u);
  ASSERT_TRUE(pattern_->Matches(index, /*is_from_guest=*/false, stream.received,
                                static_cast<const char*>(pieces[0].iov_base),
                                size))
      << "stream " << index << " at " << stream.received;
  stream.received += size;
  if (stream.received - stream.reported >= kGuestWindow / 4) {
    Owe(index, Op::kCreditUpdate);
  }
}

bool StreamingGuest::Send() {
  while (std::optional<VirtqueueDriver::Used> used = tx().TakeUsed()) {
    free_slots_.push_back(tx_slots_[used->head]);
  }
  int count = 0;
  for (int i = 0; i < plan_.streams && !free_slots_.empty(); ++i) {
    const int index = next_to_send_++ % plan_.streams;
    if (SendFor(index)) ++count;
  }
  if (count > 0) registers_.Notify(vsock::kTxQueue);
  return count > 0;
}

bool StreamingGuest::SendFor(int index) {
  Stream& stream = streams_[index];
  if (!stream.owed.empty()) {
    const Op op = stream.owed.front();
    stream.owed.erase(stream.owed.begin());
    Put(index, op, 0);
    return true;
  }
  if (!stream.is_open || stream.is_closed) return false;
  if (stream.sent < plan_.stream_bytes) {
    const uint32_t in_flight = uint32_t(stream.sent) - stream.host_forwarded;
    const uint64_t size = std::min({plan_.stream_bytes - stream.sent,
                                    uint64_t{StreamPlan::kMaxPayload},
                                    uint64_t{stream.host_window - in_flight}});
    if (size == 0) return false;
    Put(index, Op::kData, uint32_t(size));
    stream.sent += size;
    return true;
  }
  if (!stream.said_no_more) {
    stream.said_no_more = true;
    Put(index, Op::kShutdown, 0, vsock::kShutdownSend);
    return true;
  }
  if (stream.host_said_no_more && !stream.said_goodbye) {
    stream.said_goodbye = true;
    Put(index, Op::kShutdown, 0, vsock::kShutdownBoth);
    return true;
  }
  return false;
}

void StreamingGuest::Put(int index, Op op, uint32_t size, uint32_t flags) {
  Stream& stream = streams_[index];
  const int slot = free_slots_.back();
  free_slots_.pop_back();
  stream.reported = stream.received;
  const Header header = {
      .src_cid = StreamPlan::kCid,
      .dst_cid = vsock::kHostCid,
      .src_port = StreamPlan::kGuestPort + uint32_t(index),
      .dst_port = StreamPlan::IsOpenedByGuest(index)
                      ? StreamPlan::kHostPort + uint32_t(index)
                      : host_ports_[index],
      .len = size,
      .op = op,
      .flags = flags,
      .buf_alloc = kGuestWindow,
      .fwd_cnt = uint32_t(stream.received)};
  const GuestPhysAddr at = kHeaders + uint64_t(slot) * kHeaderStride;
  ASSERT_OK(memory_->Write(at, vsock::FormatHeader(header)));
  auto chain = tx().Chain();
  chain.Readable(at, vsock::kHeaderBytes);
  if (size > 0) {
    chain.Readable(kPattern + StreamPattern::IndexOf(
                                  index, /*is_from_guest=*/true, stream.sent),
                   size);
  }
  tx_slots_[chain.Offer()] = slot;
}

}  // namespace ktstr::vmm::testing
