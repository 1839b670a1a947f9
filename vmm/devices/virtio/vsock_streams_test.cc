// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// 64 streams at once, half of them opened by the guest and half by the host,
// KTSTR_STREAM_MIB MiB each way on each: every byte is compared, both windows
// are checked with every packet, each side half-closes when it has sent all,
// and one host program that does not read until the others are through delays
// nobody.
//
// Three threads as in vmm: the device's loop, the guest, the host's programs.

#include <sys/eventfd.h>

#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "gtest/gtest.h"
#include "vmm/devices/testing/stream_pattern.h"
#include "vmm/devices/testing/streaming_guest.h"
#include "vmm/devices/testing/streaming_host.h"
#include "vmm/devices/virtio/mmio_transport.h"
#include "vmm/devices/virtio/vsock.h"

namespace ktstr::vmm {
namespace {

using testing::StreamingGuest;
using testing::StreamingHost;
using testing::StreamPattern;
using testing::StreamPlan;

constexpr int kStreams = 64;

TEST(VsockStreamsTest, EverythingArrivesOnEveryStream) {
  const StreamPattern pattern;
  const StreamPlan plan = {.streams = kStreams,
                           .stream_bytes = uint64_t{KTSTR_STREAM_MIB} << 20};
  ASSERT_OK_AND_ASSIGN(
      std::unique_ptr<GuestMemory> memory,
      GuestMemory::Create({{.start = GuestPhysAddr(0),
                            .size_bytes = StreamingGuest::kRamBytes}}));
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<EventLoop> loop, EventLoop::Create());
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("streams-"));
  const std::string path = JoinPath(dir.path(), "v");
  ASSERT_OK_AND_ASSIGN(
      std::unique_ptr<Vsock> device,
      Vsock::Create(memory.get(), loop.get(),
                    {.path = path, .guest_cid = StreamPlan::kCid}));
  Vsock* const vsock = device.get();
  UniqueFd interrupt(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ASSERT_OK_AND_ASSIGN(
      std::unique_ptr<MmioTransport> transport,
      MmioTransport::Create(
          memory.get(), loop.get(), std::move(device),
          {.interrupt = [&] { eventfd_write(interrupt.get(), 1); },
           .on_failure =
               [](const absl::Status& why) {
                 ADD_FAILURE() << why.ToString();
               }}));
  StreamingGuest guest(memory.get(), transport.get(), &pattern, plan,
                       interrupt.get());
  StreamingHost host(path, &pattern, plan);
  ASSERT_NO_FATAL_FAILURE(host.Start());
  Thread devices("devices", [&] { loop->Run(); });
  guest.Start();
  const absl::Duration start = RealClock().Monotonic();
  Thread programs("programs", [&] { host.Run(); });
  guest.Run();
  programs.Join();
  const absl::Duration took = RealClock().Monotonic() - start;
  loop->Stop();
  devices.Join();
  EXPECT_EQ(vsock->stream_count(), 0);
  RecordProperty("streams", kStreams);
  RecordProperty("mib_each_way", KTSTR_STREAM_MIB);
  RecordProperty("milliseconds", int(absl::ToInt64Milliseconds(took)));
}

}  // namespace
}  // namespace ktstr::vmm
