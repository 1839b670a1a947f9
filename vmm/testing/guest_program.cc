// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/testing/guest_program.h"

#include <elf.h>

#include <cstring>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/devices/acpi_power.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kGiBShift = 30;
constexpr uint64_t kLargePageShift = 21;
constexpr uint64_t kTableEntry = 0x3;       // present, writable
constexpr uint64_t kLargePageEntry = 0x83;  // and 2 MiB

// XEN_ELFNOTE_PHYS32_ENTRY (xen/include/public/elfnote.h).
constexpr uint32_t kPvhEntryNote = 18;

template <typename T>
void AppendBytes(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

struct PvhNote {
  Elf64_Nhdr header = {.n_namesz = 4, .n_descsz = 8, .n_type = kPvhEntryNote};
  char name[4] = {'X', 'e', 'n', '\0'};
  uint64_t entry = GuestProgram::kLoadAddress;
};

Elf64_Ehdr Header(int program_headers) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_entry = GuestProgram::kLoadAddress;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = Elf64_Half(program_headers);
  return header;
}

}  // namespace

GuestProgram& GuestProgram::Raw(std::initializer_list<uint8_t> bytes) {
  code_.insert(code_.end(), bytes);
  return *this;
}

GuestProgram& GuestProgram::U16(uint16_t value) {
  return Raw({uint8_t(value), uint8_t(value >> 8)});
}

GuestProgram& GuestProgram::U32(uint32_t value) {
  return U16(uint16_t(value)).U16(uint16_t(value >> 16));
}

GuestProgram& GuestProgram::U64(uint64_t value) {
  return U32(uint32_t(value)).U32(uint32_t(value >> 32));
}

GuestProgram& GuestProgram::Out8(uint16_t port, uint8_t value) {
  // mov al, value; mov dx, port; out dx, al
  return Raw({0xB0, value, 0x66, 0xBA}).U16(port).Raw({0xEE});
}

GuestProgram& GuestProgram::Out16(uint16_t port, uint16_t value) {
  // mov ax, value; mov dx, port; out dx, ax
  return Raw({0x66, 0xB8})
      .U16(value)
      .Raw({0x66, 0xBA})
      .U16(port)
      .Raw({0x66, 0xEF});
}

GuestProgram& GuestProgram::In8(uint16_t port) {
  // mov eax, 0; mov dx, port; in al, dx
  return Raw({0xB8}).U32(0).Raw({0x66, 0xBA}).U16(port).Raw({0xEC});
}

GuestProgram& GuestProgram::Print(absl::string_view text) {
  for (char byte : text) Out8(kSerialPort, uint8_t(byte));
  return *this;
}

GuestProgram& GuestProgram::Store32(uint64_t address, uint32_t value) {
  // mov rbx, address; mov dword [rbx], value
  return Raw({0x48, 0xBB}).U64(address).Raw({0xC7, 0x03}).U32(value);
}

GuestProgram& GuestProgram::Store64(uint64_t address, uint64_t value) {
  return Store32(address, uint32_t(value))
      .Store32(address + 4, uint32_t(value >> 32));
}

GuestProgram& GuestProgram::Load32(uint64_t address) {
  // mov rbx, address; mov eax, [rbx]
  return Raw({0x48, 0xBB}).U64(address).Raw({0x8B, 0x03});
}

GuestProgram& GuestProgram::WaitFor32(uint64_t address, uint32_t value) {
  // mov rbx, address; again: mov eax, [rbx]; cmp eax, value; jne again
  return Raw({0x48, 0xBB})
      .U64(address)
      .Raw({0x8B, 0x03, 0x3D})
      .U32(value)
      .Raw({0x75, 0xF7});
}

GuestProgram& GuestProgram::MapLargePage(uint64_t address, uint64_t table) {
  const uint64_t gib = address >> kGiBShift;
  const uint64_t page = address >> kLargePageShift;
  Store64(kPdpt + gib * 8, table | kTableEntry);
  return Store64(table + page % 512 * 8,
                 page << kLargePageShift | kLargePageEntry);
}

GuestProgram& GuestProgram::PrintIfEaxIs(uint32_t value, char yes, char no) {
  // cmp eax, value; mov al, yes; je +2; mov al, no; mov dx, port; out dx, al
  return Raw({0x3D})
      .U32(value)
      .Raw({0xB0, uint8_t(yes), 0x74, 0x02, 0xB0, uint8_t(no), 0x66, 0xBA})
      .U16(kSerialPort)
      .Raw({0xEE});
}

GuestProgram& GuestProgram::WriteMsr(uint32_t msr, uint64_t value) {
  // mov ecx, msr; mov eax, low; mov edx, high; wrmsr
  return Raw({0xB9})
      .U32(msr)
      .Raw({0xB8})
      .U32(uint32_t(value))
      .Raw({0xBA})
      .U32(uint32_t(value >> 32))
      .Raw({0x0F, 0x30});
}

GuestProgram& GuestProgram::PowerOff() {
  // Sleep type in bits 10 to 12, sleep enable in bit 13.
  Out16(kAcpiPowerPort + AcpiPower::kControlOffset,
        uint16_t(AcpiPower::kSoftOffSleepType << 10 | 1 << 13));
  return Halt();
}

GuestProgram& GuestProgram::Reset() {
  return Out8(kI8042CommandPort, kI8042ResetCommand).Halt();
}

GuestProgram& GuestProgram::TripleFault() {
  return Raw({0x0F, 0x0B});  // ud2, and there is no IDT
}

GuestProgram& GuestProgram::Halt() { return Raw({0xF4, 0xEB, 0xFD}); }

GuestProgram& GuestProgram::Spin() { return Raw({0xEB, 0xFE}); }

std::string GuestProgram::BuildElf(bool has_pvh_entry) const {
  const int headers = has_pvh_entry ? 2 : 1;
  const uint64_t note_offset =
      sizeof(Elf64_Ehdr) + headers * sizeof(Elf64_Phdr);
  const uint64_t code_offset =
      note_offset + (has_pvh_entry ? sizeof(PvhNote) : 0);
  Elf64_Phdr load = {};
  load.p_type = PT_LOAD;
  load.p_flags = PF_R | PF_W | PF_X;
  load.p_offset = code_offset;
  load.p_vaddr = load.p_paddr = kLoadAddress;
  load.p_filesz = load.p_memsz = code_.size();
  load.p_align = 1;
  std::string elf;
  AppendBytes(elf, Header(headers));
  AppendBytes(elf, load);
  if (has_pvh_entry) {
    Elf64_Phdr note = {};
    note.p_type = PT_NOTE;
    note.p_offset = note_offset;
    note.p_filesz = note.p_memsz = sizeof(PvhNote);
    note.p_align = 4;
    AppendBytes(elf, note);
    AppendBytes(elf, PvhNote());
  }
  elf.append(code_.begin(), code_.end());
  return elf;
}

}  // namespace ktstr::vmm
