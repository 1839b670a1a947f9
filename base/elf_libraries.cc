// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/elf_libraries.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace ktstr {
namespace {

// Far beyond any real program; a bound on what a hostile one can cost.
constexpr int kMaxProgramHeaders = 1024;
constexpr int kMaxDynamicEntries = 16384;
constexpr size_t kMaxNeeded = 1024;
constexpr size_t kMaxLibraries = 2048;
constexpr size_t kMaxStringBytes = 4096;
constexpr uint64_t kMaxFileBytes = uint64_t{2} << 30;

absl::Status Damaged(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("is damaged: ", what));
}

// Copies a T at `offset`, if it is inside.
template <typename T>
absl::optional<T> ReadAt(absl::string_view bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) {
    return absl::nullopt;
  }
  T value;
  memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// The bytes up to the zero at or after `offset`.
absl::optional<std::string> ReadString(absl::string_view bytes,
                                       uint64_t offset) {
  if (offset >= bytes.size()) return absl::nullopt;
  absl::string_view rest = bytes.substr(offset, kMaxStringBytes);
  size_t end = rest.find('\0');
  if (end == absl::string_view::npos) return absl::nullopt;
  return std::string(rest.substr(0, end));
}

std::string MachineName(int machine) {
  switch (machine) {
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    case EM_LOONGARCH:
      return "loongarch";
    default:
      return absl::StrCat("ELF machine ", machine);
  }
}

absl::StatusOr<Elf64_Ehdr> ParseHeader(absl::string_view bytes) {
  if (!absl::StartsWith(bytes, absl::string_view(ELFMAG, SELFMAG)) ||
      bytes.size() < EI_NIDENT + 4) {
    return absl::InvalidArgumentError("is not an ELF program");
  }
  // e_type and e_machine lie at the same place in 32-bit files.
  uint8_t encoding = bytes[EI_DATA];
  uint16_t machine = *ReadAt<uint16_t>(bytes, offsetof(Elf64_Ehdr, e_machine));
  if (encoding == ELFDATA2MSB) machine = __builtin_bswap16(machine);
  if (machine != EM_X86_64) {
    return absl::InvalidArgumentError(absl::StrCat(
        "is built for ", MachineName(machine), ", this fleet runs x86_64"));
  }
  if (bytes[EI_CLASS] != ELFCLASS64 || encoding != ELFDATA2LSB) {
    return absl::InvalidArgumentError(
        "is built for x32, this fleet runs x86_64");
  }
  auto header = ReadAt<Elf64_Ehdr>(bytes, 0);
  if (!header) return Damaged("the ELF header is cut off");
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) {
    return absl::InvalidArgumentError(
        header->e_type == ET_REL ? "is an ELF object file, not a linked program"
                                 : "is an ELF file but not a program");
  }
  return *header;
}

absl::StatusOr<std::vector<Elf64_Phdr>> ParseProgramHeaders(
    absl::string_view bytes, const Elf64_Ehdr& header) {
  if (header.e_phnum > kMaxProgramHeaders ||
      (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr))) {
    return Damaged("impossible program header table");
  }
  std::vector<Elf64_Phdr> segments;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    // No overflow: a wrapped offset is either outside or harmlessly inside.
    auto segment =
        ReadAt<Elf64_Phdr>(bytes, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return Damaged("a program header lies outside the file");
    segments.push_back(*segment);
  }
  return segments;
}

// The file bytes behind a virtual address, up to the end of its segment.
absl::string_view BytesAtAddress(absl::string_view bytes,
                                 const std::vector<Elf64_Phdr>& segments,
                                 uint64_t address) {
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    uint64_t delta = address - segment.p_vaddr;
    if (delta >= segment.p_filesz || segment.p_offset >= bytes.size()) continue;
    absl::string_view content =
        bytes.substr(segment.p_offset, segment.p_filesz);
    return delta < content.size() ? content.substr(delta) : absl::string_view();
  }
  return {};
}

std::vector<std::string> SplitPath(absl::string_view text) {
  return absl::StrSplit(text, ':', absl::SkipEmpty());
}

absl::StatusOr<std::vector<Elf64_Dyn>> ReadDynamicEntries(
    absl::string_view bytes, const Elf64_Phdr& segment) {
  std::vector<Elf64_Dyn> entries;
  uint64_t count = segment.p_filesz / sizeof(Elf64_Dyn);
  for (uint64_t i = 0; i < count; ++i) {
    if (i == kMaxDynamicEntries) return Damaged("endless dynamic section");
    auto entry =
        ReadAt<Elf64_Dyn>(bytes, segment.p_offset + i * sizeof(Elf64_Dyn));
    if (!entry) return Damaged("the dynamic section lies outside the file");
    if (entry->d_tag == DT_NULL) break;
    entries.push_back(*entry);
  }
  return entries;
}

absl::Status ApplyEntry(const Elf64_Dyn& entry, absl::string_view strings,
                        ElfDynamic& dynamic) {
  if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RPATH &&
      entry.d_tag != DT_RUNPATH) {
    return absl::OkStatus();
  }
  auto text = ReadString(strings, entry.d_un.d_val);
  if (!text) return Damaged("a dynamic string lies outside the file");
  if (entry.d_tag == DT_RPATH) dynamic.rpath = SplitPath(*text);
  if (entry.d_tag == DT_RUNPATH) dynamic.runpath = SplitPath(*text);
  if (entry.d_tag != DT_NEEDED) return absl::OkStatus();
  if (text->empty()) return Damaged("a needed library has no name");
  if (dynamic.needed.size() == kMaxNeeded) return Damaged("endless libraries");
  dynamic.needed.push_back(*std::move(text));
  return absl::OkStatus();
}

absl::Status ParseDynamicSegment(absl::string_view bytes,
                                 const std::vector<Elf64_Phdr>& segments,
                                 const Elf64_Phdr& segment,
                                 ElfDynamic& dynamic) {
  ABSL_ASSIGN_OR_RETURN(std::vector<Elf64_Dyn> entries,
                        ReadDynamicEntries(bytes, segment));
  absl::string_view strings;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_STRTAB) {
      strings = BytesAtAddress(bytes, segments, entry.d_un.d_ptr);
    }
  }
  for (const Elf64_Dyn& entry : entries) {
    ABSL_RETURN_IF_ERROR(ApplyEntry(entry, strings, dynamic));
  }
  return absl::OkStatus();
}

// "X is ..." out of "is ...".
absl::Status NameFile(const absl::Status& status, const std::string& path) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, " ", status.message()));
}

absl::StatusOr<std::string> ReadHead(const std::string& path, size_t size) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY | O_NONBLOCK));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("stat ", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not an ELF program: it is ",
                     S_ISDIR(info.st_mode) ? "a directory" : "not a file"));
  }
  std::string head(size, '\0');
  ssize_t count = pread(fd.get(), head.data(), size, 0);
  if (count < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("read ", path));
  }
  head.resize(count);
  return head;
}

absl::StatusOr<ElfDynamic> ReadElf(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kMaxFileBytes));
  absl::StatusOr<ElfDynamic> dynamic = ParseElfDynamic(bytes);
  if (!dynamic.ok()) return NameFile(dynamic.status(), path);
  return dynamic;
}

std::string RealDirname(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  std::string dir(Dirname(real != nullptr ? real : path.c_str()));
  free(real);
  return dir;
}

// A breadth-first walk over the libraries of one program.
class Walk {
 public:
  explicit Walk(const ElfSearchDirs& dirs) : dirs_(dirs) {}

  absl::StatusOr<std::vector<ElfLibrary>> Run(const std::string& program) {
    ABSL_ASSIGN_OR_RETURN(ElfDynamic dynamic, ReadElf(program));
    if (!dynamic.interpreter.empty()) {
      ABSL_RETURN_IF_ERROR(AddInterpreter(program, dynamic.interpreter));
    }
    pending_.push_back({program, std::move(dynamic), {}});
    while (!pending_.empty()) {
      Node node = std::move(pending_.front());
      pending_.pop_front();
      for (const std::string& name : node.dynamic.needed) {
        ABSL_RETURN_IF_ERROR(AddNeeded(node, name));
      }
    }
    return std::move(found_);
  }

 private:
  struct Node {
    std::string path;
    ElfDynamic dynamic;
    // DT_RPATH of the files that led here, already expanded.
    std::vector<std::string> inherited_rpath;
  };
  struct Candidate {
    std::string path;
    bool is_known_to_guest;
  };

  absl::Status AddInterpreter(const std::string& program,
                              const std::string& interpreter) {
    if (!FileExists(interpreter)) {
      return absl::NotFoundError(absl::StrCat("dynamic linker ", interpreter,
                                              ", needed by ", program,
                                              ", does not exist"));
    }
    names_.insert(std::string(Basename(interpreter)));
    found_.push_back({interpreter, interpreter});
    return absl::OkStatus();
  }

  static std::string Expand(const std::string& dir, const std::string& origin) {
    return absl::StrReplaceAll(dir, {{"$ORIGIN", origin},
                                     {"${ORIGIN}", origin},
                                     {"$LIB", "lib/x86_64-linux-gnu"},
                                     {"${LIB}", "lib/x86_64-linux-gnu"},
                                     {"$PLATFORM", "x86_64"},
                                     {"${PLATFORM}", "x86_64"}});
  }

  bool IsDefault(const std::string& dir) const {
    return std::find(dirs_.defaults.begin(), dirs_.defaults.end(), dir) !=
           dirs_.defaults.end();
  }

  std::vector<Candidate> Candidates(const Node& node,
                                    const std::string& name) const {
    std::vector<Candidate> candidates;
    std::string origin = RealDirname(node.path);
    auto add_own = [&](const std::vector<std::string>& dirs) {
      for (const std::string& dir : dirs) {
        bool is_absolute = absl::StartsWith(dir, "/");
        candidates.push_back({JoinPath(Expand(dir, origin), name),
                              is_absolute && dir.find('$') == dir.npos});
      }
    };
    auto add = [&](const std::vector<std::string>& dirs) {
      for (const std::string& dir : dirs) {
        candidates.push_back({JoinPath(dir, name), IsDefault(dir)});
      }
    };
    if (node.dynamic.runpath.empty()) {
      add_own(node.dynamic.rpath);
      add(node.inherited_rpath);
    }
    add(dirs_.library_path);
    add_own(node.dynamic.runpath);
    add(dirs_.configured);
    add(dirs_.defaults);
    return candidates;
  }

  // Where the guest's linker will find a library that lies at `candidate`.
  static std::string GuestPath(const Candidate& candidate,
                               const std::string& name) {
    if (candidate.is_known_to_guest &&
        candidate.path.find("..") == std::string::npos) {
      return candidate.path;
    }
    return JoinPath(kRelocatedLibraryDir, Basename(name));
  }

  absl::Status AddNeeded(const Node& node, const std::string& name) {
    if (!names_.insert(name).second) return absl::OkStatus();
    if (found_.size() >= kMaxLibraries) {
      return absl::ResourceExhaustedError("more than 2048 shared libraries");
    }
    std::vector<Candidate> candidates;
    if (name.find('/') != std::string::npos) {
      candidates = {{name, absl::StartsWith(name, "/")}};
    } else {
      candidates = Candidates(node, name);
    }
    for (const Candidate& candidate : candidates) {
      if (!FileExists(candidate.path)) continue;
      // As ld.so: a file of another architecture is passed over.
      if (!CheckElfExecutable(candidate.path).ok()) continue;
      return Accept(node, candidate, name);
    }
    return absl::NotFoundError(absl::StrCat(
        "shared library ", name, ", needed by ", node.path, ", not found"));
  }

  absl::Status Accept(const Node& node, const Candidate& candidate,
                      const std::string& name) {
    ABSL_ASSIGN_OR_RETURN(ElfDynamic dynamic, ReadElf(candidate.path));
    found_.push_back({candidate.path, GuestPath(candidate, name)});
    std::vector<std::string> rpath = node.inherited_rpath;
    if (node.dynamic.runpath.empty()) {
      std::string origin = RealDirname(node.path);
      for (const std::string& dir : node.dynamic.rpath) {
        rpath.push_back(Expand(dir, origin));
      }
    }
    pending_.push_back({candidate.path, std::move(dynamic), std::move(rpath)});
    return absl::OkStatus();
  }

  const ElfSearchDirs& dirs_;
  std::set<std::string> names_;
  std::deque<Node> pending_;
  std::vector<ElfLibrary> found_;
};

void ReadLdSoConf(const std::string& path, int depth,
                  std::vector<std::string>& dirs) {
  absl::StatusOr<std::string> text = ReadFile(path, 1 << 20);
  if (!text.ok() || depth > 4) return;  // absent is usual
  LdSoConf conf = ParseLdSoConf(*text);
  dirs.insert(dirs.end(), conf.dirs.begin(), conf.dirs.end());
  for (std::string pattern : conf.includes) {
    if (!absl::StartsWith(pattern, "/")) {
      pattern = JoinPath(Dirname(path), pattern);
    }
    glob_t matches;
    if (glob(pattern.c_str(), 0, nullptr, &matches) != 0) continue;
    for (size_t i = 0; i < matches.gl_pathc; ++i) {
      ReadLdSoConf(matches.gl_pathv[i], depth + 1, dirs);
    }
    globfree(&matches);
  }
}

ElfSearchDirs SearchDirsOfThisMachine() {
  ElfSearchDirs dirs;
  if (const char* path = getenv("LD_LIBRARY_PATH")) {
    dirs.library_path = SplitPath(path);
  }
  ReadLdSoConf("/etc/ld.so.conf", 0, dirs.configured);
  // Debian's dynamic linker knows the multiarch pair, others the lib64 pair.
  dirs.defaults = {"/lib/x86_64-linux-gnu",
                   "/usr/lib/x86_64-linux-gnu",
                   "/lib64",
                   "/usr/lib64",
                   "/lib",
                   "/usr/lib"};
  return dirs;
}

}  // namespace

absl::StatusOr<ElfDynamic> ParseElfDynamic(absl::string_view bytes) {
  ABSL_ASSIGN_OR_RETURN(Elf64_Ehdr header, ParseHeader(bytes));
  ABSL_ASSIGN_OR_RETURN(std::vector<Elf64_Phdr> segments,
                        ParseProgramHeaders(bytes, header));
  ElfDynamic dynamic;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_INTERP) {
      auto interpreter = ReadString(bytes, segment.p_offset);
      if (!interpreter || !absl::StartsWith(*interpreter, "/")) {
        return Damaged("the dynamic linker's path is not absolute text");
      }
      dynamic.interpreter = *std::move(interpreter);
    }
    if (segment.p_type == PT_DYNAMIC) {
      ABSL_RETURN_IF_ERROR(
          ParseDynamicSegment(bytes, segments, segment, dynamic));
    }
  }
  return dynamic;
}

LdSoConf ParseLdSoConf(absl::string_view text) {
  LdSoConf conf;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (absl::ConsumePrefix(&line, "include") && !line.empty() &&
        absl::ascii_isspace(line[0])) {
      for (absl::string_view pattern :
           absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
        conf.includes.emplace_back(pattern);
      }
    } else if (absl::StartsWith(line, "/")) {
      conf.dirs.emplace_back(line);
    }
  }
  return conf;
}

absl::Status CheckElfExecutable(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string head, ReadHead(path, sizeof(Elf64_Ehdr)));
  return NameFile(ParseHeader(head).status(), path);
}

absl::StatusOr<std::vector<ElfLibrary>> ElfLibrariesOf(
    const std::string& path, const ElfSearchDirs& dirs) {
  ABSL_RETURN_IF_ERROR(CheckElfExecutable(path));
  return Walk(dirs).Run(path);
}

absl::StatusOr<std::vector<ElfLibrary>> ElfLibrariesOf(
    const std::string& path) {
  return ElfLibrariesOf(path, SearchDirsOfThisMachine());
}

}  // namespace ktstr
