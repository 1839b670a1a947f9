// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/vsock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::vmm {

using vsock::Header;
using vsock::kHeaderBytes;
using vsock::Op;

absl::StatusOr<std::unique_ptr<Vsock>> Vsock::Create(GuestMemory* memory,
                                                     EventLoop* loop,
                                                     Options options) {
  if (options.guest_cid < vsock::kFirstGuestCid ||
      options.guest_cid == vsock::kAnyPort) {
    return absl::InvalidArgumentError(
        absl::StrCat("vsock guest CID ", options.guest_cid, "; accepted is ",
                     vsock::kFirstGuestCid, " to ", vsock::kAnyPort - 1));
  }
  if (options.max_streams < 1 || options.stream_buffer_bytes < 4096) {
    return absl::InvalidArgumentError(
        "vsock needs at least one stream and 4096 bytes of buffer for each");
  }
  // Every `<path>_<P>` must fit as well.
  ABSL_RETURN_IF_ERROR(
      UnixAddress(absl::StrCat(options.path, "_", vsock::kAnyPort)).status());
  auto device =
      std::unique_ptr<Vsock>(new Vsock(memory, loop, std::move(options)));
  ABSL_ASSIGN_OR_RETURN(
      device->listener_,
      VsockListener::Create(
          loop, device->options_.path,
          [device = device.get()](UniqueFd fd, uint32_t port) {
            device->RequestFromHost(std::move(fd), port);
          }));
  return device;
}

Vsock::Vsock(GuestMemory* memory, EventLoop* loop, Options options)
    : memory_(memory), loop_(loop), options_(std::move(options)) {}

Vsock::~Vsock() {
  if (listener_) Reset();
}

void Vsock::ReadConfig(uint64_t offset, absl::Span<std::byte> out) const {
  // struct virtio_vsock_config: le64 guest_cid.
  const uint64_t cid = options_.guest_cid;
  for (std::byte& byte : out) {
    byte = offset < sizeof(cid)
               ? static_cast<std::byte>(cid >> (8 * offset) & 0xff)
               : std::byte{0};
    ++offset;
  }
}

void Vsock::Activate(uint64_t /*features*/, std::vector<Virtqueue> queues,
                     VirtioTransport* transport) {
  queues_ = std::move(queues);
  transport_ = transport;
  UpdateListener();
  // Buffers made available before DRIVER_OK may have been notified in vain.
  ProcessTx();
  PumpRx();
}

void Vsock::Reset() {
  queues_.clear();
  UpdateListener();
  listener_->DropHandshakes();
  while (!streams_.empty()) Remove(streams_.begin()->first);
  ready_.clear();
  resets_.clear();
}

void Vsock::Fail(const absl::Status& why) {
  queues_.clear();
  UpdateListener();
  transport_->Fail(why);
}

void Vsock::QueueNotified(int queue) {
  if (queue == vsock::kTxQueue) ProcessTx();
  // What the guest sent may be worth an answer; what it made available on rx
  // may carry one. The event queue's buffers just lie there: the only event,
  // transport reset, belongs to migration.
  PumpRx();
}

void Vsock::InterruptIfWanted(int queue) {
  const absl::StatusOr<bool> wanted = queues_[queue].DriverWantsInterrupt();
  if (!wanted.ok()) return Fail(wanted.status());
  if (*wanted) transport_->InterruptForUsedBuffers();
}

// ---- From the guest.

void Vsock::ProcessTx() {
  int done = 0;
  // One ring at most, so that sockets and timers get their turn.
  while (is_active() && done < kQueueSize) {
    Virtqueue& queue = queues_[vsock::kTxQueue];
    absl::StatusOr<std::optional<DescriptorChain>> chain = queue.Pop();
    if (!chain.ok()) return Fail(chain.status());
    if (!chain->has_value()) break;
    absl::Status status = HandleChain(**chain);
    if (status.ok() && is_active()) status = queue.Push((*chain)->head, 0);
    if (!status.ok()) return Fail(status);
    ++done;
  }
  if (!is_active() || done == 0) return;
  InterruptIfWanted(vsock::kTxQueue);
  if (is_active() && done == kQueueSize) {
    transport_->ContinueSoon(vsock::kTxQueue);
  }
}

absl::Status Vsock::HandleChain(const DescriptorChain& chain) {
  if (chain.writable.size_bytes() > 0) {
    return absl::InvalidArgumentError("writable descriptor in the tx queue");
  }
  std::array<std::byte, kHeaderBytes> bytes;
  ABSL_RETURN_IF_ERROR(Annotate(
      chain.readable.Read(*memory_, 0, absl::MakeSpan(bytes)), "tx packet"));
  HandlePacket(vsock::ParseHeader(bytes), chain);
  return absl::OkStatus();
}

void Vsock::HandlePacket(const Header& header, const DescriptorChain& chain) {
  // Somebody else's address as sender: there is nobody to answer.
  if (header.src_cid != options_.guest_cid) return;
  if (header.dst_cid != vsock::kHostCid || header.type != vsock::kTypeStream) {
    return OweReset(header);
  }
  const StreamId id =
      IdOf({.guest_port = header.src_port, .host_port = header.dst_port});
  if (id != 0) {
    HandleForStream(id, header, chain);
  } else if (header.op == Op::kRequest) {
    HandleRequest(header);
  } else {
    OweReset(header);
  }
}

void Vsock::HandleRequest(const Header& header) {
  if (stream_count() >= options_.max_streams) return OweReset(header);
  absl::StatusOr<UniqueFd> fd = ConnectToHost(header.dst_port);
  if (!fd.ok()) return OweReset(header);
  const StreamId id =
      Add({.guest_port = header.src_port, .host_port = header.dst_port},
          VsockStream::State::kOpen, *std::move(fd));
  Entry& entry = *Find(id);
  entry.stream.UpdateGuestCredit(header);
  entry.owes_response = true;
  Settle(id);
  if (!std::exchange(saw_guest_stream_, true) &&
      options_.on_first_guest_stream) {
    options_.on_first_guest_stream();
  }
}

absl::StatusOr<UniqueFd> Vsock::ConnectToHost(uint32_t host_port) const {
  const std::string path = absl::StrCat(options_.path, "_", host_port);
  ABSL_ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(path));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // SAFETY: the sockets interface takes every address as a sockaddr.
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                     sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("connect to ", path));
  }
  return fd;
}

void Vsock::HandleForStream(StreamId id, const Header& header,
                            const DescriptorChain& chain) {
  VsockStream& stream = Find(id)->stream;
  stream.UpdateGuestCredit(header);
  switch (header.op) {
    case Op::kResponse:
      HandleResponse(id);
      break;
    case Op::kReset:
      HandleReset(id);
      break;
    case Op::kShutdown:
      HandleShutdown(id, header.flags);
      break;
    case Op::kData:
      HandleData(id, header, chain);
      break;
    case Op::kCreditUpdate:
      break;
    case Op::kCreditRequest:
      Find(id)->owes_credit_update = true;
      break;
    case Op::kRequest:
      // The guest uses the port anew. If the host's end is gone there is
      // nothing to tear apart; otherwise both ends disagree: reset.
      if (stream.is_hung_up()) {
        Remove(id);
        return HandleRequest(header);
      }
      Abort(id);
      break;
    default:
      Abort(id);
      break;
  }
  Settle(id);
}

void Vsock::HandleResponse(StreamId id) {
  VsockStream& stream = Find(id)->stream;
  if (stream.state() != VsockStream::State::kRequested) return Abort(id);
  stream.Open();
  const std::string line = absl::StrCat("OK ", stream.key().host_port, "\n");
  // SAFETY: text seen as bytes.
  stream.SendLine(absl::MakeConstSpan(
      reinterpret_cast<const std::byte*>(line.data()), line.size()));
}

void Vsock::HandleData(StreamId id, const Header& header,
                       const DescriptorChain& chain) {
  VsockStream& stream = Find(id)->stream;
  std::vector<iovec> payload;
  const bool is_taken =
      stream.state() == VsockStream::State::kOpen &&
      chain.readable.AppendIovecs(*memory_, kHeaderBytes, header.len, payload)
          .ok() &&
      stream.TakeFromGuest(payload, header.len) == VsockStream::Taken::kOk;
  if (!is_taken) Abort(id);
}

void Vsock::HandleShutdown(StreamId id, uint32_t flags) {
  VsockStream& stream = Find(id)->stream;
  if (stream.state() != VsockStream::State::kOpen) return Abort(id);
  stream.GuestShutdown(flags);
}

void Vsock::HandleReset(StreamId id) {
  Entry& entry = *Find(id);
  // The guest's last words count, even if it does not wait for them to arrive.
  const bool has_last_words =
      (entry.stream.guest_shutdown() & vsock::kShutdownSend) &&
      entry.stream.has_waiting_bytes() && !entry.stream.is_hung_up();
  if (!has_last_words) return Remove(id);
  entry.is_orphan = true;
  ids_.erase(entry.stream.key());
}

// ---- To the guest.

void Vsock::OweReset(const Header& answered) {
  if (answered.op == Op::kReset) return;
  if (resets_.size() >= kMaxPendingResets) return;
  resets_.push_back({.src_cid = answered.dst_cid,
                     .dst_cid = answered.src_cid,
                     .src_port = answered.dst_port,
                     .dst_port = answered.src_port,
                     .type = answered.type,
                     .op = Op::kReset});
}

bool Vsock::HasSomethingToSay(const Entry& entry) const {
  if (entry.is_orphan) return false;
  const VsockStream& stream = entry.stream;
  if (entry.owes_request) return true;
  if (stream.state() != VsockStream::State::kOpen) return false;
  return entry.owes_response || entry.owes_credit_update ||
         entry.owes_credit_request || stream.unsent_shutdown() != 0 ||
         (stream.wants_data_for_guest() && stream.is_readable() &&
          stream.guest_credit() > 0);
}

void Vsock::MarkReady(StreamId id) {
  Entry* entry = Find(id);
  if (entry == nullptr || entry->is_ready || !HasSomethingToSay(*entry)) return;
  entry->is_ready = true;
  ready_.push_back(id);
}

void Vsock::PumpRx() {
  int done = 0;
  while (is_active() && done < kQueueSize &&
         !(resets_.empty() && ready_.empty())) {
    Virtqueue& queue = queues_[vsock::kRxQueue];
    absl::StatusOr<std::optional<DescriptorChain>> chain = queue.Pop();
    if (!chain.ok()) return Fail(chain.status());
    if (!chain->has_value()) break;
    absl::StatusOr<uint32_t> written = FillChain(**chain);
    if (written.ok() && *written == 0) {
      queue.Unpop();
      break;
    }
    absl::Status status = written.status();
    if (status.ok()) status = queue.Push((*chain)->head, *written);
    if (!status.ok()) return Fail(status);
    ++done;
  }
  if (!is_active() || done == 0) return;
  InterruptIfWanted(vsock::kRxQueue);
  if (is_active() && done == kQueueSize) {
    transport_->ContinueSoon(vsock::kRxQueue);
  }
}

absl::StatusOr<uint32_t> Vsock::FillChain(const DescriptorChain& chain) {
  if (chain.readable.size_bytes() > 0) {
    return absl::InvalidArgumentError("readable descriptor in the rx queue");
  }
  if (chain.writable.size_bytes() <= kHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("rx buffer of ", chain.writable.size_bytes(),
                     " bytes; accepted is more than ", kHeaderBytes));
  }
  if (!resets_.empty()) {
    const Header header = resets_.front();
    resets_.pop_front();
    return PutHeader(chain, header);
  }
  while (!ready_.empty()) {
    const StreamId id = ready_.front();
    ready_.pop_front();
    Entry* entry = Find(id);
    if (entry == nullptr) continue;
    entry->is_ready = false;
    ABSL_ASSIGN_OR_RETURN(const uint32_t written,
                          FillFromStream(*entry, chain));
    MarkReady(id);
    Settle(id);
    if (written > 0) return written;
  }
  return 0;
}

absl::StatusOr<uint32_t> Vsock::PutHeader(const DescriptorChain& chain,
                                          const Header& header) {
  ABSL_RETURN_IF_ERROR(
      chain.writable.Write(*memory_, 0, vsock::FormatHeader(header)));
  return static_cast<uint32_t>(kHeaderBytes);
}

absl::StatusOr<uint32_t> Vsock::FillFromStream(Entry& entry,
                                               const DescriptorChain& chain) {
  VsockStream& stream = entry.stream;
  const auto put = [&](Op op) {
    return PutHeader(chain, stream.MakeHeader(op, options_.guest_cid));
  };
  if (std::exchange(entry.owes_request, false)) return put(Op::kRequest);
  if (stream.state() != VsockStream::State::kOpen) return 0;
  if (std::exchange(entry.owes_response, false)) return put(Op::kResponse);
  ABSL_ASSIGN_OR_RETURN(const uint32_t written, FillData(entry, chain));
  if (written > 0) return written;
  if (const uint32_t flags = stream.unsent_shutdown(); flags != 0) {
    stream.CountShutdownSent(flags);
    Header header = stream.MakeHeader(Op::kShutdown, options_.guest_cid);
    header.flags = flags;
    return PutHeader(chain, header);
  }
  if (std::exchange(entry.owes_credit_update, false)) {
    return put(Op::kCreditUpdate);
  }
  if (std::exchange(entry.owes_credit_request, false)) {
    return put(Op::kCreditRequest);
  }
  return 0;
}

absl::StatusOr<uint32_t> Vsock::FillData(Entry& entry,
                                         const DescriptorChain& chain) {
  VsockStream& stream = entry.stream;
  if (!stream.wants_data_for_guest() || !stream.is_readable()) return 0;
  const uint32_t credit = stream.guest_credit();
  if (credit == 0) return 0;
  const uint64_t room = chain.writable.size_bytes() - kHeaderBytes;
  std::vector<iovec> into;
  ABSL_RETURN_IF_ERROR(chain.writable.AppendIovecs(
      *memory_, kHeaderBytes, std::min<uint64_t>(credit, room), into));
  const uint32_t n = static_cast<uint32_t>(stream.ReadForGuest(into));
  if (n == 0) return 0;
  stream.CountSent(n);
  Header header = stream.MakeHeader(Op::kData, options_.guest_cid);
  header.len = n;
  entry.owes_credit_update = false;
  entry.asked_for_credit = false;
  ABSL_ASSIGN_OR_RETURN(const uint32_t header_bytes, PutHeader(chain, header));
  return header_bytes + n;
}

// ---- Streams.

Vsock::StreamId Vsock::Add(VsockStream::Key key, VsockStream::State state,
                           UniqueFd fd) {
  const StreamId id = next_id_++;
  streams_[id] = std::make_unique<Entry>(key, state, std::move(fd),
                                         options_.stream_buffer_bytes);
  ids_[key] = id;
  UpdateListener();
  return id;
}

Vsock::StreamId Vsock::IdOf(VsockStream::Key key) const {
  auto it = ids_.find(key);
  return it == ids_.end() ? 0 : it->second;
}

Vsock::Entry* Vsock::Find(StreamId id) {
  auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

VsockStream::Key Vsock::UnusedKey(uint32_t guest_port) {
  VsockStream::Key key;
  do {
    key = {.guest_port = guest_port, .host_port = next_host_port_++};
    if (next_host_port_ == vsock::kAnyPort) next_host_port_ = kFirstHostPort;
  } while (ids_.contains(key));
  return key;
}

void Vsock::RequestFromHost(UniqueFd fd, uint32_t guest_port) {
  // The listener pauses when the table is full, but handshakes under way do
  // not count yet.
  if (!is_active() || stream_count() >= options_.max_streams) return;
  const StreamId id =
      Add(UnusedKey(guest_port), VsockStream::State::kRequested, std::move(fd));
  Find(id)->owes_request = true;
  Settle(id);
  PumpRx();
}

void Vsock::SocketEvents(StreamId id, uint32_t events) {
  Entry* entry = Find(id);
  if (entry == nullptr) return;
  VsockStream& stream = entry->stream;
  if (events & (EPOLLHUP | EPOLLERR)) {
    // These cannot be masked: unwatch, or they come for ever.
    loop_->Unwatch(stream.fd());
    entry->is_watched = false;
    stream.HangUp();
    if (stream.state() == VsockStream::State::kRequested) Abort(id);
  }
  if (events & EPOLLIN) stream.set_readable();
  Settle(id);
  PumpRx();
}

void Vsock::Settle(StreamId id) {
  Entry* entry = Find(id);
  if (entry == nullptr) return;
  VsockStream& stream = entry->stream;
  stream.Flush();
  if (entry->is_orphan && !stream.has_waiting_bytes()) return Remove(id);
  const bool guest_is_done = stream.guest_shutdown() == vsock::kShutdownBoth;
  if (guest_is_done && !stream.has_waiting_bytes()) return Abort(id);
  if (stream.ShouldUpdateCredit()) entry->owes_credit_update = true;
  const bool is_starved = stream.wants_data_for_guest() &&
                          stream.is_readable() && stream.guest_credit() == 0;
  if (is_starved && !std::exchange(entry->asked_for_credit, true)) {
    entry->owes_credit_request = true;
  }
  MarkReady(id);
  UpdateWatch(id, *entry);
}

void Vsock::UpdateWatch(StreamId id, Entry& entry) {
  VsockStream& stream = entry.stream;
  if (stream.is_hung_up()) return;
  uint32_t events = 0;
  if (stream.wants_data_for_guest() && !stream.is_readable()) events |= EPOLLIN;
  if (stream.has_waiting_bytes()) events |= EPOLLOUT;
  if (entry.is_watched) return loop_->SetEvents(stream.fd(), events);
  entry.is_watched =
      loop_
          ->Watch(stream.fd(), events,
                  [this, id](uint32_t e) { SocketEvents(id, e); })
          .ok();
  // Out of memory for epoll: treat the socket as gone rather than forget it.
  if (!entry.is_watched) stream.HangUp();
}

void Vsock::Remove(StreamId id) {
  auto it = streams_.find(id);
  if (it == streams_.end()) return;
  const Entry& entry = *it->second;
  if (entry.is_watched) loop_->Unwatch(entry.stream.fd());
  if (!entry.is_orphan) ids_.erase(entry.stream.key());
  streams_.erase(it);
  UpdateListener();
}

void Vsock::Abort(StreamId id) {
  Entry& entry = *Find(id);
  // A request the guest has not seen yet needs no reset.
  if (!entry.is_orphan && !entry.owes_request) {
    OweReset({.src_cid = options_.guest_cid,
              .dst_cid = vsock::kHostCid,
              .src_port = entry.stream.key().guest_port,
              .dst_port = entry.stream.key().host_port});
  }
  Remove(id);
}

void Vsock::UpdateListener() {
  if (is_active() && stream_count() < options_.max_streams) {
    listener_->Resume();
  } else {
    listener_->Pause();
  }
}

}  // namespace ktstr::vmm
