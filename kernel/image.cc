// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/image.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "kernel/decompress.h"

namespace ktstr::kernel {
namespace {

// Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
constexpr size_t kSetupSects = 0x1f1;
constexpr size_t kBootFlag = 0x1fe;
constexpr size_t kHeaderMagic = 0x202;
constexpr size_t kProtocolVersion = 0x206;
constexpr size_t kPayloadOffset = 0x248;
constexpr size_t kPayloadLength = 0x24c;
constexpr size_t kHeaderEnd = 0x250;
constexpr uint16_t kFirstProtocolWithPayload = 0x0208;
constexpr size_t kSectorBytes = 512;
constexpr uint8_t kDefaultSetupSects = 4;

// The value at `offset`; zero when it does not fit, so that callers compare
// sizes once, where it matters.
template <typename T>
T Load(absl::string_view bytes, uint64_t offset) {
  T value = {};
  if (offset <= bytes.size() && sizeof(T) <= bytes.size() - offset) {
    memcpy(&value, bytes.data() + offset, sizeof(T));
  }
  return value;
}

bool IsInside(absl::string_view bytes, uint64_t offset, uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

bool IsBzImage(absl::string_view bytes) {
  return bytes.size() >= kHeaderEnd &&
         Load<uint16_t>(bytes, kBootFlag) == 0xAA55 &&
         bytes.substr(kHeaderMagic, 4) == "HdrS";
}

bool LooksLikeText(absl::string_view bytes) {
  bytes = bytes.substr(0, 256);
  return std::all_of(bytes.begin(), bytes.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return absl::ascii_isprint(byte) || absl::ascii_isspace(byte);
  });
}

absl::Status NotAKernel(absl::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrCat("neither an x86-64 ELF vmlinux nor a bzImage, but ", found));
}

absl::Status CheckElf(absl::string_view bytes) {
  if (bytes.size() < sizeof(Elf64_Ehdr)) return NotAKernel("a cut ELF file");
  auto header = Load<Elf64_Ehdr>(bytes, 0);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64) {
    return NotAKernel(absl::StrCat("an ELF file of another architecture (",
                                   header.e_machine, ")"));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return NotAKernel("an ELF object that is not executable");
  }
  return absl::OkStatus();
}

// Section headers of a file whose ELF header was checked.
absl::StatusOr<std::vector<Elf64_Shdr>> ReadSections(absl::string_view elf) {
  auto header = Load<Elf64_Ehdr>(elf, 0);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (header.e_shnum == 0) return sections;
  uint64_t table_bytes = uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  if (header.e_shentsize != sizeof(Elf64_Shdr) ||
      header.e_shstrndx >= header.e_shnum ||
      !IsInside(elf, header.e_shoff, table_bytes)) {
    return absl::InvalidArgumentError(
        "ELF: the section header table lies outside the file");
  }
  memcpy(sections.data(), elf.data() + header.e_shoff, table_bytes);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL &&
        !IsInside(elf, section.sh_offset, section.sh_size)) {
      return absl::InvalidArgumentError("ELF: a section lies outside the file");
    }
  }
  return sections;
}

absl::StatusOr<std::vector<Elf64_Phdr>> ReadSegments(absl::string_view elf) {
  auto header = Load<Elf64_Ehdr>(elf, 0);
  uint64_t table_bytes = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phnum == 0 || header.e_phentsize != sizeof(Elf64_Phdr) ||
      !IsInside(elf, header.e_phoff, table_bytes)) {
    return absl::InvalidArgumentError(
        "ELF: no program header table inside the file");
  }
  // A new place of the section headers would be another segment.
  if (header.e_phoff < sizeof(Elf64_Ehdr)) {
    return absl::InvalidArgumentError(
        "ELF: the program header table lies within the ELF header");
  }
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  memcpy(segments.data(), elf.data() + header.e_phoff, table_bytes);
  for (const Elf64_Phdr& segment : segments) {
    if (!IsInside(elf, segment.p_offset, segment.p_filesz)) {
      return absl::InvalidArgumentError(
          "ELF: a program segment lies outside the file");
    }
  }
  return segments;
}

bool IsLoaded(const Elf64_Shdr& section) {
  return (section.sh_flags & SHF_ALLOC) != 0;
}

// Sections outside of the loaded image that are worth keeping.
bool IsKeptBesideImage(const Elf64_Shdr& section) {
  return !IsLoaded(section) &&
         (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_STRTAB ||
          section.sh_type == SHT_NOTE);
}

// Where the loaded part of the file ends: everything before it is copied as it
// lies, so that no address and no offset of a segment changes.
uint64_t EndOfImage(const Elf64_Ehdr& header,
                    const std::vector<Elf64_Phdr>& segments,
                    const std::vector<Elf64_Shdr>& sections) {
  uint64_t end = std::max<uint64_t>(
      sizeof(Elf64_Ehdr),
      header.e_phoff + uint64_t{header.e_phnum} * sizeof(Elf64_Phdr));
  for (const Elf64_Phdr& segment : segments) {
    end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  for (const Elf64_Shdr& section : sections) {
    if (IsLoaded(section) && section.sh_type != SHT_NOBITS) {
      end = std::max(end, section.sh_offset + section.sh_size);
    }
  }
  return end;
}

void AlignTo8(std::string& bytes) {
  bytes.resize((bytes.size() + 7) & ~size_t{7});
}

}  // namespace

absl::StatusOr<ImageKind> RecogniseImage(absl::string_view bytes) {
  if (bytes.empty()) return NotAKernel("an empty file");
  if (absl::StartsWith(bytes, ELFMAG)) {
    ABSL_RETURN_IF_ERROR(CheckElf(bytes));
    return ImageKind::kElf;
  }
  if (IsBzImage(bytes)) return ImageKind::kBzImage;
  return NotAKernel(LooksLikeText(bytes) ? "text" : "something else");
}

absl::StatusOr<std::string> ExtractVmlinux(absl::string_view bytes,
                                           uint64_t max_bytes) {
  ABSL_ASSIGN_OR_RETURN(ImageKind kind, RecogniseImage(bytes));
  if (kind == ImageKind::kElf) return std::string(bytes);
  if (Load<uint16_t>(bytes, kProtocolVersion) < kFirstProtocolWithPayload) {
    return absl::InvalidArgumentError(
        "bzImage: boot protocol older than 2.08, the payload cannot be found");
  }
  uint64_t sectors = Load<uint8_t>(bytes, kSetupSects);
  if (sectors == 0) sectors = kDefaultSetupSects;
  uint64_t begin =
      (sectors + 1) * kSectorBytes + Load<uint32_t>(bytes, kPayloadOffset);
  uint64_t length = Load<uint32_t>(bytes, kPayloadLength);
  if (length == 0 || !IsInside(bytes, begin, length)) {
    return absl::InvalidArgumentError(
        absl::StrCat("bzImage: the payload (", length, " bytes at ", begin,
                     ") lies outside the file of ", bytes.size(), " bytes"));
  }
  absl::StatusOr<std::string> elf =
      Decompress(bytes.substr(begin, length), max_bytes);
  ABSL_RETURN_IF_ERROR(Annotate(elf.status(), "bzImage payload"));
  absl::StatusOr<ImageKind> inner = RecogniseImage(*elf);
  if (!inner.ok() || *inner != ImageKind::kElf) {
    return absl::InvalidArgumentError("bzImage payload: no x86-64 ELF vmlinux");
  }
  return elf;
}

absl::StatusOr<std::string> StripDebug(absl::string_view elf) {
  ABSL_RETURN_IF_ERROR(RecogniseImage(elf).status());
  if (!absl::StartsWith(elf, ELFMAG)) {
    return absl::InvalidArgumentError("strip: not an ELF file");
  }
  auto header = Load<Elf64_Ehdr>(elf, 0);
  ABSL_ASSIGN_OR_RETURN(std::vector<Elf64_Phdr> segments, ReadSegments(elf));
  ABSL_ASSIGN_OR_RETURN(std::vector<Elf64_Shdr> sections, ReadSections(elf));
  if (sections.empty()) return std::string(elf);

  std::string out(elf.substr(0, EndOfImage(header, segments, sections)));
  // The table keeps its length: symbols name sections by index.
  for (Elf64_Shdr& section : sections) {
    if (IsLoaded(section)) continue;
    if (!IsKeptBesideImage(section)) {
      section = Elf64_Shdr{};
      continue;
    }
    AlignTo8(out);
    uint64_t moved_to = out.size();
    out.append(elf.data() + section.sh_offset, section.sh_size);
    section.sh_offset = moved_to;
    if (out.size() > 2 * kMaxVmlinuxBytes) {
      return absl::InvalidArgumentError("ELF: overlapping sections");
    }
  }
  AlignTo8(out);
  header.e_shoff = out.size();
  // SAFETY: plain structures of <elf.h>, copied byte by byte.
  out.append(reinterpret_cast<const char*>(sections.data()),
             sections.size() * sizeof(Elf64_Shdr));
  memcpy(out.data(), &header, sizeof(header));
  return out;
}

bool HasDebugSections(absl::string_view elf) {
  if (!RecogniseImage(elf).ok() || !absl::StartsWith(elf, ELFMAG)) return false;
  absl::StatusOr<std::vector<Elf64_Shdr>> sections = ReadSections(elf);
  return sections.ok() &&
         std::any_of(sections->begin(), sections->end(),
                     [](const Elf64_Shdr& section) {
                       return section.sh_type == SHT_PROGBITS &&
                              !IsLoaded(section) && section.sh_size > 4096;
                     });
}

absl::StatusOr<std::string> KernelRelease(absl::string_view elf) {
  constexpr absl::string_view kBanner = "Linux version ";
  for (size_t at = elf.find(kBanner); at != absl::string_view::npos;
       at = elf.find(kBanner, at + 1)) {
    absl::string_view rest = elf.substr(at + kBanner.size(), 128);
    size_t end = rest.find(' ');
    if (end == absl::string_view::npos || end == 0 ||
        !absl::ascii_isdigit(static_cast<unsigned char>(rest[0]))) {
      continue;  // the format string of another message
    }
    return std::string(rest.substr(0, end));
  }
  return absl::NotFoundError("kernel has no version banner");
}

}  // namespace ktstr::kernel
