// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/kernel_symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace ktstr::hostd {
namespace {

absl::Status NoKernel(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("kernel image: ", why));
}

// Copies the record at `offset`; false when it is not all in the image.
template <typename Record>
bool ReadAt(absl::string_view image, uint64_t offset, Record* record) {
  if (offset > image.size() || image.size() - offset < sizeof(Record)) {
    return false;
  }
  memcpy(record, image.data() + offset, sizeof(Record));
  return true;
}

// The bytes of a section; empty when they are not all in the image.
absl::string_view Contents(absl::string_view image, const Elf64_Shdr& section) {
  if (section.sh_offset > image.size() ||
      image.size() - section.sh_offset < section.sh_size) {
    return {};
  }
  return image.substr(section.sh_offset, section.sh_size);
}

struct SymbolTable {
  absl::string_view symbols;
  absl::string_view strings;
};

absl::StatusOr<SymbolTable> FindSymbolTable(absl::string_view image,
                                            const Elf64_Ehdr& header) {
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    Elf64_Shdr strings;
    if (!ReadAt(image, header.e_shoff + i * sizeof(section), &section)) break;
    if (section.sh_type != SHT_SYMTAB) continue;
    if (section.sh_link >= header.e_shnum ||
        !ReadAt(image, header.e_shoff + section.sh_link * sizeof(strings),
                &strings)) {
      return NoKernel("its symbol table has no names");
    }
    return SymbolTable{Contents(image, section), Contents(image, strings)};
  }
  return absl::NotFoundError("the kernel image has no symbol table");
}

bool IsNamed(absl::string_view strings, uint32_t at, absl::string_view name) {
  return at < strings.size() && strings.size() - at > name.size() &&
         strings.substr(at, name.size()) == name &&
         strings[at + name.size()] == '\0';
}

absl::StatusOr<Elf64_Sym> FindVariable(const SymbolTable& table,
                                       absl::string_view name) {
  for (uint64_t at = 0; at < table.symbols.size(); at += sizeof(Elf64_Sym)) {
    Elf64_Sym symbol;
    if (!ReadAt(table.symbols, at, &symbol)) break;
    if (ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT &&
        IsNamed(table.strings, symbol.st_name, name)) {
      return symbol;
    }
  }
  return absl::NotFoundError(absl::StrCat("the kernel has no variable ", name));
}

absl::StatusOr<uint64_t> PhysicalAddress(absl::string_view image,
                                         const Elf64_Ehdr& header,
                                         const Elf64_Sym& symbol) {
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!ReadAt(image, header.e_phoff + i * sizeof(segment), &segment)) break;
    const uint64_t offset = symbol.st_value - segment.p_vaddr;
    if (segment.p_type == PT_LOAD && symbol.st_value >= segment.p_vaddr &&
        offset < segment.p_memsz &&
        segment.p_memsz - offset >= symbol.st_size) {
      return segment.p_paddr + offset;
    }
  }
  return NoKernel("a variable lies in no segment");
}

}  // namespace

absl::StatusOr<std::vector<KernelVariable>> FindKernelVariables(
    absl::string_view image, absl::Span<const char* const> names) {
  Elf64_Ehdr header;
  if (!ReadAt(image, 0, &header) ||
      memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
      header.e_shentsize != sizeof(Elf64_Shdr) ||
      header.e_phentsize != sizeof(Elf64_Phdr)) {
    return NoKernel("not an ELF file for x86-64");
  }
  ABSL_ASSIGN_OR_RETURN(SymbolTable table, FindSymbolTable(image, header));
  std::vector<KernelVariable> variables;
  for (const char* name : names) {
    ABSL_ASSIGN_OR_RETURN(Elf64_Sym symbol, FindVariable(table, name));
    ABSL_ASSIGN_OR_RETURN(uint64_t address,
                          PhysicalAddress(image, header, symbol));
    variables.push_back(
        {.guest_physical = address, .size_bytes = symbol.st_size});
  }
  return variables;
}

absl::StatusOr<std::vector<KernelVariable>> FindKernelVariablesInFile(
    const std::string& path, absl::Span<const char* const> names) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd file, OpenFile(path, O_RDONLY));
  struct stat info;
  if (fstat(file.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("stat ", path));
  }
  if (info.st_size == 0) return NoKernel("empty");
  const size_t size = static_cast<size_t>(info.st_size);
  void* mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, absl::StrCat("map ", path));
  }
  auto variables = FindKernelVariables(
      absl::string_view(static_cast<const char*>(mapped), size), names);
  munmap(mapped, size);
  return variables;
}

}  // namespace ktstr::hostd
