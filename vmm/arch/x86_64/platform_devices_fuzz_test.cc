// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Any sequence of port accesses to console, keyboard controller and power
// management. Memory and pending work stay bounded whatever they are.
//
// Shape: each access is two bytes of port, one of kind and width, four of
// value.

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/platform_devices.h"

namespace ktstr::vmm {
namespace {

constexpr size_t kAccessBytes = 7;
constexpr size_t kMostAccesses = 512;
// Those that lead somewhere; others come from the input.
constexpr uint16_t kPorts[] = {kSerialPort, kI8042Port, kI8042CommandPort,
                               kAcpiPowerPort};

struct World {
  World() {
    loop = EventLoop::Create().value();
    console = std::make_unique<ConsoleWriter>(loop.get(),
                                              open("/dev/null", O_WRONLY));
    devices = std::make_unique<PlatformDevices>(
        PlatformDevices::Options{.console = console.get(),
                                 .serial_interrupt = [] {},
                                 .on_power_off = [] {},
                                 .on_reset = [] {}});
    if (!devices->AttachTo(ports).ok()) std::abort();
  }
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<ConsoleWriter> console;
  std::unique_ptr<PlatformDevices> devices;
  Bus ports;
};

void Access(World& world, const uint8_t* at) {
  uint16_t port;
  std::memcpy(&port, at, sizeof(port));
  const uint8_t kind = at[2];
  if (kind & 8) {
    port = uint16_t(kPorts[port % std::size(kPorts)] + (port >> 8) % 8);
  }
  std::array<std::byte, 8> bytes = {};
  std::memcpy(bytes.data(), at + 3, 4);
  const size_t width = size_t{1} << (kind % 4);
  if (kind & 4) {
    world.ports.Write(port, absl::MakeConstSpan(bytes).first(width));
  } else {
    world.ports.Read(port, absl::MakeSpan(bytes).first(width));
  }
}

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  static World* world = new World;
  size = std::min(size, kMostAccesses * kAccessBytes);
  for (size_t at = 0; at + kAccessBytes <= size; at += kAccessBytes) {
    Access(*world, data + at);
  }
  for (int i = 0; world->loop->PollOnce(absl::ZeroDuration()); ++i) {
    if (i > 1000) std::abort();
  }
  return 0;
}
