// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/testing/tiny_kernel.h"

#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ktstr::kernel {
namespace {

template <typename T>
std::string BytesOf(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
void Poke(std::string& bytes, size_t offset, T value) {
  memcpy(bytes.data() + offset, &value, sizeof(value));
}

uint8_t* Unsigned(std::string& bytes) {
  return reinterpret_cast<uint8_t*>(bytes.data());
}

std::string Gzip(absl::string_view text) {
  z_stream stream = {};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    abort();
  }
  std::string packed(text.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = Unsigned(packed);
  stream.avail_out = packed.size();
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) abort();
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string Xz(absl::string_view text) {
  std::string packed(text.size() + 1024, '\0');
  size_t size = 0;
  if (lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, nullptr,
                              reinterpret_cast<const uint8_t*>(text.data()),
                              text.size(), Unsigned(packed), &size,
                              packed.size()) != LZMA_OK) {
    abort();
  }
  packed.resize(size);
  return packed;
}

std::string Lz4Legacy(absl::string_view text) {
  constexpr size_t kBlockBytes = size_t{8} << 20;
  std::string packed = BytesOf(uint32_t{0x184C2102});
  for (size_t at = 0; at < text.size(); at += kBlockBytes) {
    absl::string_view block = text.substr(at, kBlockBytes);
    std::string room(LZ4_compressBound(block.size()), '\0');
    int size = LZ4_compress_default(block.data(), room.data(), block.size(),
                                    room.size());
    absl::StrAppend(&packed, BytesOf(static_cast<uint32_t>(size)),
                    room.substr(0, size));
  }
  return packed;
}

std::string Zstd(absl::string_view text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(
      ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

// Section names at their offsets in .shstrtab.
struct NameTable {
  std::string bytes = std::string(1, '\0');
  uint32_t Add(absl::string_view name) {
    uint32_t offset = bytes.size();
    absl::StrAppend(&bytes, name, absl::string_view("\0", 1));
    return offset;
  }
};

// Appends contents to a growing file and remembers their headers.
struct ElfWriter {
  std::string file;
  NameTable names;
  std::vector<Elf64_Shdr> sections = {Elf64_Shdr{}};

  void Add(absl::string_view name, uint32_t type, uint64_t flags,
           const std::string& content, uint32_t link = 0) {
    Elf64_Shdr header = {};
    header.sh_name = names.Add(name);
    header.sh_type = type;
    header.sh_flags = flags;
    header.sh_offset = file.size();
    header.sh_size = content.size();
    header.sh_link = link;
    sections.push_back(header);
    absl::StrAppend(&file, content);
  }
};

std::string SymbolTable(uint16_t section, uint32_t name) {
  Elf64_Sym symbol = {};
  symbol.st_name = name;
  symbol.st_shndx = section;
  symbol.st_value = 0xffffffff81000040;
  return BytesOf(Elf64_Sym{}) + BytesOf(symbol);
}

}  // namespace

std::string MakeTinyVmlinux(const TinyKernelOptions& options) {
  constexpr uint64_t kImageOffset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
  ElfWriter writer;
  writer.file.resize(kImageOffset);
  std::string rodata = absl::StrCat(
      absl::string_view("Linux version %s (%s)\0", 22), "Linux version ",
      options.release, " (ktstr@ktstr) #1 SMP\n");
  if (!options.config.empty()) {
    absl::StrAppend(&rodata, "IKCFG_ST", Gzip(options.config), "IKCFG_ED");
  }
  writer.Add(".rodata", SHT_PROGBITS, SHF_ALLOC, rodata);
  writer.Add(".BTF", SHT_PROGBITS, SHF_ALLOC, "types");
  uint64_t image_end = writer.file.size();
  if (options.debug_bytes > 0) {
    writer.Add(".debug_info", SHT_PROGBITS, 0,
               std::string(options.debug_bytes, 'D'));
  }
  uint32_t strtab = writer.sections.size() + 1;
  writer.Add(".symtab", SHT_SYMTAB, 0, SymbolTable(1, 1), strtab);
  writer.Add(".strtab", SHT_STRTAB, 0, std::string("\0jiffies\0", 9));
  uint16_t name_section = writer.sections.size();
  uint32_t own_name = writer.names.Add(".shstrtab");
  writer.Add("", SHT_STRTAB, 0, writer.names.bytes);
  writer.sections.back().sh_name = own_name;

  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_entry = 0x1000000;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_shoff = writer.file.size();
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = writer.sections.size();
  header.e_shstrndx = name_section;
  Elf64_Phdr segment = {};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_offset = kImageOffset;
  segment.p_vaddr = 0xffffffff81000000;
  segment.p_paddr = 0x1000000;
  segment.p_filesz = image_end - kImageOffset;
  segment.p_memsz = segment.p_filesz;
  for (const Elf64_Shdr& section : writer.sections) {
    absl::StrAppend(&writer.file, BytesOf(section));
  }
  Poke(writer.file, 0, header);
  Poke(writer.file, sizeof(header), segment);
  return writer.file;
}

std::string Pack(absl::string_view payload, Packing packing) {
  std::string size = BytesOf(static_cast<uint32_t>(payload.size()));
  switch (packing) {
    case Packing::kGzip:
      return Gzip(payload);  // the format itself ends with the size
    case Packing::kXz:
      return Xz(payload) + size;
    case Packing::kLz4:
      return Lz4Legacy(payload) + size;
    case Packing::kZstd:
      return Zstd(payload) + size;
    case Packing::kNone:
      break;
  }
  return std::string(payload);
}

std::string MakeBzImage(absl::string_view packed) {
  constexpr uint8_t kSetupSectors = 3;
  constexpr uint32_t kPayloadOffset = 0x40;
  std::string image((kSetupSectors + 1) * 512 + kPayloadOffset, '\0');
  Poke(image, 0x1f1, kSetupSectors);
  Poke(image, 0x1fe, uint16_t{0xAA55});
  memcpy(image.data() + 0x202, "HdrS", 4);
  Poke(image, 0x206, uint16_t{0x020f});
  Poke(image, 0x248, kPayloadOffset);
  Poke(image, 0x24c, static_cast<uint32_t>(packed.size()));
  absl::StrAppend(&image, packed, "code after the payload");
  return image;
}

}  // namespace ktstr::kernel
