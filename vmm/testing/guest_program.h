// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_TESTING_GUEST_PROGRAM_H_
#define KTSTR_VMM_TESTING_GUEST_PROGRAM_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ktstr::vmm {

// A tiny bare-metal guest, instruction by instruction: 64-bit code that starts
// where a kernel would, with what the boot protocol gives it (identity map of
// the first GiB, flat segments, no interrupts).
//
//   auto elf = GuestProgram().Print("hi").PowerOff().BuildElf();
//
// Shape: only instructions that a host which interprets kernel mode knows, too.
// Source: Intel SDM vol. 2 for every encoding.
class GuestProgram {
 public:
  // Where the code is loaded.
  static constexpr uint64_t kLoadAddress = 0x100000;

  // Where the next instruction will lie.
  uint64_t here() const { return kLoadAddress + code_.size(); }

  // Any bytes.
  GuestProgram& Raw(std::initializer_list<uint8_t> bytes);

  // Ports. Clobbers AX and DX. In8 leaves its result in EAX, zero-extended.
  GuestProgram& Out8(uint16_t port, uint8_t value);
  GuestProgram& Out16(uint16_t port, uint16_t value);
  GuestProgram& In8(uint16_t port);
  // Each byte to the serial port.
  GuestProgram& Print(absl::string_view text);

  // Memory. Clobbers RBX; Load32 leaves its result in EAX.
  GuestProgram& Store32(uint64_t address, uint32_t value);
  GuestProgram& Store64(uint64_t address, uint64_t value);
  GuestProgram& Load32(uint64_t address);
  // Loops until the 32-bit word has the value.
  GuestProgram& WaitFor32(uint64_t address, uint32_t value);
  // Puts the 2 MiB page with `address` (above 1 GiB) into the identity map,
  // using the page `table` for the directory of its GiB.
  GuestProgram& MapLargePage(uint64_t address, uint64_t table);

  // Prints one byte or the other. Clobbers DX and AL.
  GuestProgram& PrintIfEaxIs(uint32_t value, char yes, char no);

  // Clobbers EAX, ECX, EDX.
  GuestProgram& WriteMsr(uint32_t msr, uint64_t value);

  // Ends.
  GuestProgram& PowerOff();
  GuestProgram& Reset();
  GuestProgram& TripleFault();
  GuestProgram& Halt();
  GuestProgram& Spin();

  // An ELF executable as vmm boots it. With `has_pvh_entry` a note names the
  // same code as 32-bit entry, so that QEMU boots it as well; the code must
  // mean the same in both modes (Out8, Print, Halt and Spin do).
  std::string BuildElf(bool has_pvh_entry = false) const;

 private:
  GuestProgram& U16(uint16_t value);
  GuestProgram& U32(uint32_t value);
  GuestProgram& U64(uint64_t value);

  std::vector<uint8_t> code_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_TESTING_GUEST_PROGRAM_H_
