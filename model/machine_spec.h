// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_MODEL_MACHINE_SPEC_H_
#define KTSTR_MODEL_MACHINE_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/machine_topology.h"
#include "model/performance_spec.h"
#include "model/topology.h"

namespace ktstr {

// By which device the guest's kernel speaks.
enum class ConsoleDevice {
  // A 16550: every byte leaves the guest for itself.
  kSerial = 0,
  // A virtio console: up to 16 bytes at once, but Linux spins until the device
  // has taken them. It is there from the middle of the boot, before which the
  // serial port speaks, until the kernel shuts its devices down.
  kVirtio,
};

// Everything `vmm` is told about the machine it boots. Descriptors are numbers
// in the vmm process, inherited from whoever started it; -1 means absent.
//
// Shape: as text, one JSON object whose keys are the field names here
//        (durations as `<name>_ms` integers, the console as "serial" or
//        "virtio"; `details` are keys of the same object, see
//        machine_details_json.h). Unknown keys are an error.
struct MachineSpec {
  Topology topology;
  // RAM of the whole guest, split evenly over NUMA nodes (remainder on the
  // last) unless `details` lists them.
  int64_t memory_mib = 256;
  // Nodes, distances, memory attributes, caches, vendor.
  MachineDetails details;

  // An ELF vmlinux (x86-64). Read only.
  int kernel_fd = -1;
  // cpio archives, concatenated in this order, each on pages of its own.
  std::vector<int> initrd_fds;
  // Appended to the arguments the machine itself needs (console, reset,
  // devices).
  std::string cmdline;

  ConsoleDevice console = ConsoleDevice::kSerial;
  // Every byte the guest writes to its console, and to its serial port even if
  // that is not the console; the guest never waits for the reader. -1 discards.
  int console_fd = -1;
  // One JSON object per line: `MachineEvent`s, the last one is the end.
  int report_fd = -1;
  // A socket or pipe whose hang-up ends the machine (kind kStopped): the owner
  // is gone. Bytes on it are ignored, except 'q': end now. -1 means none.
  int control_fd = -1;

  // vmm sends a memory map (model/memory_map.h) over control_fd, which is a
  // unix socket then, with the files that are the guest's RAM, before the first
  // guest instruction. The files cannot shrink (F_SEAL_SHRINK).
  bool shares_memory = false;

  // Host side of the guest's virtio-vsock device. Empty means no device.
  // vmm listens here (Firecracker's convention): a client sends
  // "CONNECT <port>\n" and reads "OK <host port>\n", then the stream is open. A
  // guest that connects to host port P reaches the socket `<path>_<P>`. vmm
  // removes `path` when it ends; the `_<P>` sockets belong to their listener.
  std::string vsock_path;
  uint32_t vsock_cid = 3;

  // Absent: the guest shares its host like any process.
  std::optional<PerformanceSpec> performance;

  // Ends the machine with kind kDeadline. Zero means no limit.
  absl::Duration deadline = absl::ZeroDuration();
};

// Errors:
//   InvalidArgument  not JSON, an unknown key, a wrong type or a value out of
//                    range, topology, memory and details that do not fit
//                    together (MachineTopology::Create); the message names the
//                    key or the node and what is accepted.
absl::StatusOr<MachineSpec> ParseMachineSpec(absl::string_view json);
std::string FormatMachineSpec(const MachineSpec& spec);

// How a machine ended.
enum class MachineEnd {
  kUnspecified = 0,
  kPowerOff,       // ACPI S5
  kReset,          // keyboard-controller reset: reboot, or panic with panic=-1
  kTripleFault,    // KVM_EXIT_SHUTDOWN
  kDeadline,       // MachineSpec::deadline passed
  kStopped,        // control_fd
  kEntryFailure,   // KVM_EXIT_FAIL_ENTRY
  kInternalError,  // KVM_EXIT_INTERNAL_ERROR
  kSetupFailure,   // no guest instruction ran; `detail` says what failed
  // The host lacks what MachineSpec::performance needs; `detail` names all of
  // it.
  kUnmetPrecondition,
};

// Stable names as they stand in reports: "power-off", "reset", "triple-fault",
// "deadline", "stopped", "entry-failure", "internal-error", "setup-failure",
// "unmet-precondition".
absl::string_view MachineEndName(MachineEnd end);

// One line of a machine's report.
//
// Shape: {"event": NAME, "at_us": N, ...}. Times are CLOCK_MONOTONIC
//        microseconds of the host (comparable with the host's other processes).
//        Names in order of appearance:
//          "start"          main() entered; key "detail" names the attempt
//                           epoch, if vmm was given one
//          "slots"          guest memory registered
//          "vcpus"          every vCPU created; key "tids" when threads run
//          "loaded"         kernel, initramfs and tables are in guest memory
//          "entry"          first KVM_RUN of the boot CPU
//          "first-io"       first port or MMIO exit of the guest
//          "console"        first byte of the guest's console
//          "vsock-connect"  first stream the guest opened
//          "end"            keys "kind" (MachineEndName), "detail" (text, with
//                           registers and instruction bytes for errors)
struct MachineEvent {
  std::string name;
  absl::Duration at;
  // Only on "end".
  MachineEnd end = MachineEnd::kUnspecified;
  // Only on "start" and "end".
  std::string detail;
  // Only on "vcpus": thread ids, index = CPU number.
  std::vector<int> tids;
};

// Errors: InvalidArgument for a line that is not such an object.
absl::StatusOr<MachineEvent> ParseMachineEvent(absl::string_view line);
std::string FormatMachineEvent(const MachineEvent& event);

}  // namespace ktstr

#endif  // KTSTR_MODEL_MACHINE_SPEC_H_
