// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/include_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/elf_libraries.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/guest_layout.h"

namespace ktstr::ktstrctl {
namespace {

constexpr absl::string_view kReservedPrefix = ".ktstr_";
// e_type and e_machine of what a dynamic linker loads here.
constexpr size_t kElfHeaderBytes = 20;
constexpr char kElfExecutable = 2;
constexpr char kElfShared = 3;
constexpr char kElfX86_64 = 62;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// As messages on the wire demand it (RFC 3629, surrogates let pass).
bool IsUtf8(absl::string_view text) {
  size_t expected = 0;
  for (unsigned char byte : text) {
    bool continues = (byte & 0xc0) == 0x80;
    if (continues != (expected > 0)) return false;
    if (continues) {
      --expected;
    } else if (byte >= 0xf0 && byte < 0xf5) {
      expected = 3;
    } else if (byte >= 0xe0 && byte < 0xf0) {
      expected = 2;
    } else if (byte >= 0xc2 && byte < 0xe0) {
      expected = 1;
    } else if (byte >= 0x80) {
      return false;
    }
  }
  return expected == 0;
}

// Whether a dynamic linker of this architecture would load it. Objects and
// programs of other machines (eBPF) are files like any other.
absl::StatusOr<bool> NeedsLibraries(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  char header[kElfHeaderBytes];
  ssize_t count = pread(fd.get(), header, sizeof(header), 0);
  if (count != static_cast<ssize_t>(sizeof(header))) return false;
  return memcmp(header,
                "\x7f"
                "ELF",
                4) == 0 &&
         (header[16] == kElfExecutable || header[16] == kElfShared) &&
         header[17] == 0 && header[18] == kElfX86_64 && header[19] == 0;
}

bool IsProgram(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

class Collector {
 public:
  explicit Collector(absl::string_view search_path)
      : search_path_(search_path) {}

  absl::Status AddWord(const IncludeWord& word) {
    origin_ = word.origin;
    ABSL_ASSIGN_OR_RETURN(std::string path, Find(word));
    ABSL_ASSIGN_OR_RETURN(std::string real, Canonical(path));
    // The name that was given, unless it is one like "." or "dir/..".
    absl::string_view given = path;
    while (given.size() > 1 && given.back() == '/') given.remove_suffix(1);
    std::string name(Basename(given));
    if (name == "." || name == "..") name = std::string(Basename(real));
    ABSL_RETURN_IF_ERROR(CheckName(name, word.word));
    size_t before = files_.size() + repeated_;
    ABSL_RETURN_IF_ERROR(AddPath(path, JoinPath(kGuestIncludeDir, name)));
    if (files_.size() + repeated_ == before) {
      return Refuse(word.word, " is a directory without files");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<IncludedFile>> Take() {
    ABSL_RETURN_IF_ERROR(AddLibraries());
    std::vector<IncludedFile> files;
    for (auto& [guest_path, wanted] : files_) {
      files.push_back(std::move(wanted.file));
    }
    return files;
  }

 private:
  struct Wanted {
    IncludedFile file;
    std::string origin;
  };

  // "-i some/path: ...".
  template <typename... Parts>
  absl::Status Refuse(const Parts&... parts) const {
    return Invalid(origin_, " ", parts...);
  }

  absl::StatusOr<std::string> Find(const IncludeWord& wanted) const {
    const std::string& word = wanted.word;
    auto fits = [&](const std::string& path) {
      return wanted.is_program ? IsProgram(path) : FileExists(path);
    };
    if (!word.empty() && fits(word)) return word;
    const int error = word.empty() || FileExists(word) ? EACCES : errno;
    const bool is_looked_for_beside =
        !wanted.beside.empty() && !absl::StartsWith(word, "/");
    if (is_looked_for_beside && !word.empty()) {
      std::string path = JoinPath(wanted.beside, word);
      if (fits(path)) return path;
    }
    if (absl::StrContains(word, '/'))
      return Refuse(word, ": ", strerror(error));
    for (absl::string_view dir :
         absl::StrSplit(search_path_, ':', absl::SkipEmpty())) {
      std::string path = JoinPath(dir, word);
      if (IsProgram(path)) return path;
    }
    return Refuse(
        word, " is neither in the working directory ",
        is_looked_for_beside ? absl::StrCat("nor in ", wanted.beside, " ") : "",
        "nor a program on PATH");
  }

  // Without links, ".", ".." and double slashes.
  absl::StatusOr<std::string> Canonical(const std::string& path) const {
    std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr),
                                                &free);
    if (real == nullptr) return Refuse(path, ": ", strerror(errno));
    return std::string(real.get());
  }

  absl::Status CheckName(absl::string_view name,
                         const std::string& path) const {
    if (name.empty() || name == "." || name == "..") {
      return Refuse(path, " has no name of its own in the guest");
    }
    if (absl::StartsWith(name, kReservedPrefix)) {
      return Refuse(path, ": names that start with ", kReservedPrefix,
                    " are reserved");
    }
    if (!IsUtf8(name)) {
      return Refuse(absl::CHexEscape(path), ": the name is not UTF-8");
    }
    return absl::OkStatus();
  }

  absl::Status AddPath(const std::string& path, const std::string& guest_path) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      return Refuse(path, ": ", strerror(errno));
    }
    if (S_ISDIR(info.st_mode)) return AddDirectory(path, guest_path, info);
    if (!S_ISREG(info.st_mode)) {
      return Refuse(path, " is neither a file nor a directory");
    }
    if (access(path.c_str(), R_OK) != 0) {
      return Refuse(path, ": ", strerror(errno));
    }
    ABSL_ASSIGN_OR_RETURN(std::string real, Canonical(path));
    return AddFile({.host_path = std::move(real),
                    .guest_path = guest_path,
                    .is_executable = (info.st_mode & 0111) != 0});
  }

  absl::Status AddDirectory(const std::string& path,
                            const std::string& guest_path,
                            const struct stat& info) {
    auto identity = std::make_pair(info.st_dev, info.st_ino);
    if (!open_dirs_.emplace(identity, path).second) {
      return Refuse(path, " leads back to ", open_dirs_.at(identity),
                    ", which contains it");
    }
    absl::StatusOr<std::vector<std::string>> names = ListDir(path);
    if (!names.ok()) return Refuse(names.status().message());
    for (const std::string& name : *names) {
      std::string below = JoinPath(path, name);
      ABSL_RETURN_IF_ERROR(CheckName(name, below));
      ABSL_RETURN_IF_ERROR(AddPath(below, JoinPath(guest_path, name)));
    }
    open_dirs_.erase(identity);
    return absl::OkStatus();
  }

  absl::Status AddFile(IncludedFile file) {
    auto [it, is_new] = files_.emplace(file.guest_path, Wanted{file, origin_});
    const Wanted& other = it->second;
    if (!is_new && other.file.host_path != file.host_path) {
      return Invalid("two files for ", file.guest_path,
                     " in the guest: ", other.file.host_path,
                     OriginOf(other.origin), " and ", file.host_path,
                     OriginOf(origin_));
    }
    if (!is_new) ++repeated_;
    if (files_.size() > kMaxIncludedFiles) {
      return Refuse("brings more than ", kMaxIncludedFiles, " files");
    }
    return absl::OkStatus();
  }

  static std::string OriginOf(absl::string_view origin) {
    return absl::StrCat(" (", absl::StripSuffix(origin, ":"), ")");
  }

  absl::Status AddLibraries() {
    std::vector<std::pair<std::string, std::string>> programs;  // and origin
    for (const auto& [guest_path, wanted] : files_) {
      const std::string& path = wanted.file.host_path;
      ABSL_ASSIGN_OR_RETURN(bool needs, NeedsLibraries(path));
      if (needs) programs.emplace_back(path, wanted.origin);
    }
    for (const auto& [program, origin] : programs) {
      origin_ = origin;
      absl::StatusOr<std::vector<ElfLibrary>> libraries =
          ElfLibrariesOf(program);
      if (!libraries.ok()) return Refuse(libraries.status().message());
      for (const ElfLibrary& library : *libraries) {
        ABSL_ASSIGN_OR_RETURN(std::string real, Canonical(library.host_path));
        ABSL_RETURN_IF_ERROR(AddFile({.host_path = std::move(real),
                                      .guest_path = library.guest_path,
                                      .is_executable = true}));
      }
    }
    return absl::OkStatus();
  }

  const absl::string_view search_path_;
  std::string origin_;                   // of the word at hand
  std::map<std::string, Wanted> files_;  // by guest path
  size_t repeated_ = 0;
  // Directories on the way to where the walk is.
  std::map<std::pair<dev_t, ino_t>, std::string> open_dirs_;
};

}  // namespace

absl::StatusOr<std::vector<IncludedFile>> CollectIncludeFiles(
    const std::vector<IncludeWord>& words, absl::string_view search_path) {
  Collector collector(search_path);
  for (const IncludeWord& word : words) {
    ABSL_RETURN_IF_ERROR(collector.AddWord(word));
  }
  return collector.Take();
}

absl::StatusOr<std::vector<IncludedFile>> CollectIncludeFiles(
    const std::vector<std::string>& words, absl::string_view search_path) {
  std::vector<IncludeWord> wanted;
  for (const std::string& word : words) {
    wanted.push_back({.word = word, .origin = "-i"});
  }
  return CollectIncludeFiles(wanted, search_path);
}

}  // namespace ktstr::ktstrctl
