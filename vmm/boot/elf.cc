// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/boot/elf.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace ktstr::vmm {
namespace {

// A bzImage: boot flag at 0x1FE, "HdrS" at 0x202 (boot.rst, "The real-mode
// kernel header").
constexpr size_t kBzImageMagicOffset = 0x202;
constexpr char kBzImageMagic[] = "HdrS";

// Physical addresses have at most 52 bits.
constexpr uint64_t kMaxPhysical = uint64_t{1} << 52;
constexpr int kMaxProgramHeaders = 256;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("kernel: ", what));
}

bool HasBytesAt(absl::Span<const std::byte> head, size_t offset,
                absl::string_view bytes) {
  return head.size() >= offset + bytes.size() &&
         std::memcmp(head.data() + offset, bytes.data(), bytes.size()) == 0;
}

absl::Status CheckIdentity(absl::Span<const std::byte> head) {
  if (head.empty()) return Bad("the file is empty");
  if (HasBytesAt(head, kBzImageMagicOffset, kBzImageMagic)) {
    return Bad(
        "this is a bzImage; the machine boots an ELF vmlinux, so extract the "
        "payload first (ktstrctl does when it submits)");
  }
  if (!HasBytesAt(head, 0, absl::string_view(ELFMAG, SELFMAG))) {
    return Bad("not an ELF file; an x86-64 vmlinux is accepted");
  }
  return absl::OkStatus();
}

absl::Status CheckHeader(const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64) {
    return Bad(absl::StrCat("ELF machine ", header.e_machine,
                            " is not x86-64 (", int{EM_X86_64}, ")"));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return Bad(absl::StrCat("ELF type ", header.e_type,
                            " cannot be booted; a linked vmlinux is accepted"));
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum > kMaxProgramHeaders) {
    return Bad(absl::StrCat(header.e_phnum, " program headers of ",
                            header.e_phentsize, " bytes; 1 to ",
                            kMaxProgramHeaders, " of ", sizeof(Elf64_Phdr),
                            " are accepted"));
  }
  return absl::OkStatus();
}

absl::Status CheckSegment(const Elf64_Phdr& header, int index,
                          uint64_t file_bytes) {
  bool is_inside_file = header.p_offset <= file_bytes &&
                        header.p_filesz <= file_bytes - header.p_offset;
  bool is_physical = header.p_paddr < kMaxPhysical &&
                     header.p_memsz <= kMaxPhysical - header.p_paddr;
  if (is_inside_file && is_physical && header.p_filesz <= header.p_memsz) {
    return absl::OkStatus();
  }
  return Bad(absl::StrFormat(
      "program header %d (%d bytes at file offset %#x, %d bytes at %#x) does "
      "not fit the file of %d bytes or the address space",
      index, header.p_filesz, header.p_offset, header.p_memsz, header.p_paddr,
      file_bytes));
}

absl::Status LoadSegment(int fd, const ElfSegment& segment,
                         GuestMemory& memory) {
  return Annotate(memory.ReadFromFile(segment.start, fd, segment.file_offset,
                                      segment.file_bytes),
                  "kernel");
}

absl::StatusOr<uint64_t> FileBytes(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, "kernel: fstat");
  if (!S_ISREG(info.st_mode)) {
    return Bad("its descriptor is not a regular file");
  }
  return uint64_t(info.st_size);
}

absl::StatusOr<std::vector<std::byte>> ReadHead(int fd, uint64_t file_bytes) {
  std::vector<std::byte> head(std::min<uint64_t>(file_bytes, kElfHeadBytes));
  size_t done = 0;
  while (done < head.size()) {
    ssize_t count = pread(fd, head.data() + done, head.size() - done, done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, "kernel: read");
    if (count == 0) return Bad("the file became shorter while it was read");
    done += size_t(count);
  }
  return head;
}

}  // namespace

GuestPhysAddr ElfImage::end() const {
  GuestPhysAddr end;
  for (const auto& segment : segments) end = std::max(end, segment.end());
  return end;
}

absl::StatusOr<ElfImage> ParseElf(absl::Span<const std::byte> head,
                                  uint64_t file_bytes) {
  ABSL_RETURN_IF_ERROR(CheckIdentity(head));
  Elf64_Ehdr header;
  if (head.size() < sizeof(header)) return Bad("the ELF header is cut off");
  std::memcpy(&header, head.data(), sizeof(header));
  ABSL_RETURN_IF_ERROR(CheckHeader(header));
  const uint64_t table_bytes = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phoff > head.size() ||
      table_bytes > head.size() - header.e_phoff) {
    return Bad(absl::StrCat("program headers at offset ", header.e_phoff,
                            " do not lie in the first ", head.size(),
                            " bytes"));
  }
  ElfImage image;
  image.entry = GuestPhysAddr(header.e_entry);
  bool has_entry = false;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr program;
    std::memcpy(&program, head.data() + header.e_phoff + i * sizeof(program),
                sizeof(program));
    if (program.p_type != PT_LOAD || program.p_memsz == 0) continue;
    ABSL_RETURN_IF_ERROR(CheckSegment(program, i, file_bytes));
    image.segments.push_back({.start = GuestPhysAddr(program.p_paddr),
                              .memory_bytes = program.p_memsz,
                              .file_offset = program.p_offset,
                              .file_bytes = program.p_filesz});
    has_entry =
        has_entry || (header.e_entry >= program.p_paddr &&
                      header.e_entry - program.p_paddr < program.p_memsz);
  }
  if (!has_entry) {
    return Bad(absl::StrFormat("entry point %#x lies in no loaded segment",
                               header.e_entry));
  }
  return image;
}

absl::StatusOr<ElfImage> LoadElf(int fd, GuestPhysAddr floor,
                                 GuestMemory& memory) {
  ABSL_ASSIGN_OR_RETURN(uint64_t file_bytes, FileBytes(fd));
  ABSL_ASSIGN_OR_RETURN(std::vector<std::byte> head, ReadHead(fd, file_bytes));
  ABSL_ASSIGN_OR_RETURN(ElfImage image, ParseElf(head, file_bytes));
  for (const auto& segment : image.segments) {
    std::vector<iovec> pieces;
    if (segment.start < floor ||
        !memory.AppendIovecs(segment.start, segment.memory_bytes, pieces)
             .ok()) {
      return Bad(absl::StrFormat(
          "segment [%#x, %#x) does not lie in RAM above %#x; the machine has "
          "%d MiB",
          segment.start.value(), segment.end().value(), floor.value(),
          memory.size_bytes() >> 20));
    }
    ABSL_RETURN_IF_ERROR(LoadSegment(fd, segment, memory));
  }
  return image;
}

}  // namespace ktstr::vmm
