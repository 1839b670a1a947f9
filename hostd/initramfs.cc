// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "model/guest_layout.h"

namespace ktstr::hostd {
namespace {

constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kMaxNameBytes = 255;
constexpr uint64_t kPageBytes = 4096;
constexpr char kTrailer[] = "TRAILER!!!";
// Part of the cache key: what the base holds around guestd.
constexpr char kBaseFormat[] = "1";

absl::Status CheckPath(const std::string& path) {
  auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(
        "guest path \"", absl::CHexEscape(path.substr(0, 128)), "\" ", why));
  };
  if (path.empty() || path[0] != '/') return refuse("is not absolute");
  if (path.size() > kMaxPathBytes) return refuse("is longer than 1024 bytes");
  if (path.find('\0') != std::string::npos) return refuse("holds a zero byte");
  for (absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") {
      return refuse("has an empty, \".\" or \"..\" component");
    }
    if (part.size() > kMaxNameBytes) {
      return refuse("has a component of more than 255 bytes");
    }
  }
  if (path.substr(1) == kTrailer) return refuse("is the archive's end marker");
  return absl::OkStatus();
}

}  // namespace

absl::Status CpioWriter::Write(absl::string_view bytes) {
  ABSL_RETURN_IF_ERROR(Annotate(WriteAll(fd_, bytes), "initramfs"));
  offset_ += bytes.size();
  return absl::OkStatus();
}

absl::Status CpioWriter::PadTo(uint64_t alignment) {
  return Write(
      std::string((alignment - offset_ % alignment) % alignment, '\0'));
}

absl::Status CpioWriter::WriteHeader(absl::string_view name,
                                     const Header& header) {
  uint32_t inode = name == kTrailer ? 0 : ++inode_;
  uint32_t links = S_ISDIR(header.mode) ? 2 : 1;
  std::string text = absl::StrFormat(
      "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", inode,
      header.mode, 0, 0, links, 0, header.size_bytes, 0, 0, header.major,
      header.minor, name.size() + 1, 0);
  absl::StrAppend(&text, name, absl::string_view("\0", 1));
  ABSL_RETURN_IF_ERROR(Write(text));
  return PadTo(4);
}

absl::Status CpioWriter::Admit(const std::string& path, Kind kind) {
  if (is_finished_) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " added to a finished archive"));
  }
  ABSL_RETURN_IF_ERROR(CheckPath(path));
  if (auto it = entries_.find(path); it != entries_.end()) {
    return absl::AlreadyExistsError(
        absl::StrCat("guest path ", path, " is in the archive already"));
  }
  ABSL_RETURN_IF_ERROR(AddParents(path));
  entries_[path] = kind;
  return absl::OkStatus();
}

absl::Status CpioWriter::AddParents(const std::string& path) {
  std::vector<std::string> missing;
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    std::string parent = path.substr(0, slash);
    auto it = entries_.find(parent);
    if (it == entries_.end()) {
      missing.push_back(parent);
    } else if (it->second != Kind::kDirectory) {
      return absl::FailedPreconditionError(
          absl::StrCat("guest path ", path, " lies below the file ", parent));
    }
  }
  for (const std::string& parent : missing) {
    ABSL_RETURN_IF_ERROR(AddDirectory(parent));
  }
  return absl::OkStatus();
}

absl::Status CpioWriter::WriteEntry(const std::string& path,
                                    const Header& header,
                                    absl::string_view content) {
  ABSL_RETURN_IF_ERROR(WriteHeader(path.substr(1), header));
  ABSL_RETURN_IF_ERROR(Write(content));
  return PadTo(4);
}

absl::Status CpioWriter::AddDirectory(const std::string& path, mode_t mode) {
  auto it = entries_.find(path);
  if (it != entries_.end() && it->second == Kind::kDirectory) {
    return absl::OkStatus();
  }
  ABSL_RETURN_IF_ERROR(Admit(path, Kind::kDirectory));
  return WriteEntry(path, {.mode = S_IFDIR | (mode & 07777)}, "");
}

absl::Status CpioWriter::AddFile(const std::string& path,
                                 absl::string_view bytes, mode_t mode) {
  if (bytes.size() > UINT32_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is 4 GiB or longer"));
  }
  ABSL_RETURN_IF_ERROR(Admit(path, Kind::kOther));
  return WriteEntry(
      path, {.mode = S_IFREG | (mode & 07777), .size_bytes = bytes.size()},
      bytes);
}

absl::Status CpioWriter::CopyFrom(int source_fd, uint64_t size_bytes) {
  std::string buffer(std::min<uint64_t>(size_bytes, 1 << 20), '\0');
  for (uint64_t at = 0; at < size_bytes;) {
    uint64_t wanted = std::min<uint64_t>(size_bytes - at, buffer.size());
    ssize_t count = pread(source_fd, buffer.data(), wanted, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, "read");
    if (count == 0) return absl::DataLossError("became shorter while packed");
    ABSL_RETURN_IF_ERROR(Write(absl::string_view(buffer.data(), count)));
    at += count;
  }
  return absl::OkStatus();
}

absl::Status CpioWriter::AddFileFrom(const std::string& path, int source_fd,
                                     mode_t mode) {
  struct stat info;
  if (fstat(source_fd, &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("stat source of ", path));
  }
  if (!S_ISREG(info.st_mode) || info.st_size > int64_t{UINT32_MAX}) {
    return absl::InvalidArgumentError(
        absl::StrCat("source of ", path, " is not a regular file below 4 GiB"));
  }
  ABSL_RETURN_IF_ERROR(Admit(path, Kind::kOther));
  uint64_t size = info.st_size;
  ABSL_RETURN_IF_ERROR(WriteHeader(
      path.substr(1), {.mode = S_IFREG | (mode & 07777), .size_bytes = size}));
  ABSL_RETURN_IF_ERROR(Annotate(CopyFrom(source_fd, size), path));
  return PadTo(4);
}

absl::Status CpioWriter::AddFileFromPath(const std::string& path,
                                         const std::string& source,
                                         mode_t mode) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(source, O_RDONLY | O_NONBLOCK));
  return Annotate(AddFileFrom(path, fd.get(), mode), source);
}

absl::Status CpioWriter::AddSymlink(const std::string& path,
                                    const std::string& target) {
  if (target.empty() || target.size() > kMaxPathBytes ||
      target.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("link ", path,
                     " needs a target of 1 to 1024 bytes without zero bytes"));
  }
  ABSL_RETURN_IF_ERROR(Admit(path, Kind::kOther));
  return WriteEntry(path, {.mode = S_IFLNK | 0777, .size_bytes = target.size()},
                    target);
}

absl::Status CpioWriter::AddCharDevice(const std::string& path, unsigned major,
                                       unsigned minor, mode_t mode) {
  ABSL_RETURN_IF_ERROR(Admit(path, Kind::kOther));
  return WriteEntry(
      path, {.mode = S_IFCHR | (mode & 07777), .major = major, .minor = minor},
      "");
}

absl::Status CpioWriter::Finish() {
  if (is_finished_) return absl::OkStatus();
  is_finished_ = true;
  ABSL_RETURN_IF_ERROR(WriteHeader(kTrailer, {}));
  return PadTo(kPageBytes);
}

absl::Status CheckGuestFilePath(const std::string& guest_path) {
  ABSL_RETURN_IF_ERROR(CheckPath(guest_path));
  absl::string_view first =
      *absl::StrSplit(absl::string_view(guest_path).substr(1), '/').begin();
  for (absl::string_view reserved : {"init", "ktstr", "dev", "proc", "sys"}) {
    if (first == reserved) {
      return absl::InvalidArgumentError(
          absl::StrCat("guest path ", guest_path, " is reserved: /", reserved,
                       " belongs to the guest's own set-up"));
    }
  }
  return absl::OkStatus();
}

namespace {

absl::Status AddModules(const std::vector<InitramfsFile>& modules,
                        CpioWriter& writer) {
  if (modules.empty()) return absl::OkStatus();
  std::string order;
  for (const InitramfsFile& module : modules) {
    ABSL_RETURN_IF_ERROR(
        writer.AddFileFromPath(module.guest_path, module.host_path));
    absl::StrAppend(&order, module.guest_path, "\n");
  }
  return writer.AddFile(kGuestModuleOrderPath, order);
}

absl::Status AddFiles(const std::vector<InitramfsFile>& files,
                      CpioWriter& writer) {
  std::map<std::string, std::string> sources;
  for (const InitramfsFile& file : files) {
    ABSL_RETURN_IF_ERROR(CheckGuestFilePath(file.guest_path));
    auto [it, is_first] = sources.emplace(file.guest_path, file.host_path);
    if (!is_first && it->second == file.host_path) continue;
    if (!is_first) {
      return absl::AlreadyExistsError(absl::StrCat(
          "guest path ", file.guest_path, " is wanted by two different files, ",
          it->second, " and ", file.host_path));
    }
    ABSL_RETURN_IF_ERROR(writer.AddFileFromPath(
        file.guest_path, file.host_path, file.is_executable ? 0755 : 0644));
  }
  return absl::OkStatus();
}

absl::Status WriteBase(const std::string& guestd, int fd) {
  CpioWriter writer(fd);
  // The kernel opens /dev/console for init before devtmpfs is mounted.
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/console", 5, 1));
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/null", 1, 3, 0666));
  for (const char* dir : {"/proc", "/sys", "/tmp", "/run", "/root"}) {
    ABSL_RETURN_IF_ERROR(writer.AddDirectory(dir));
  }
  ABSL_RETURN_IF_ERROR(writer.AddFileFromPath("/init", guestd, 0755));
  return writer.Finish();
}

}  // namespace

absl::Status WriteInitramfsTail(const InitramfsTail& tail, int fd) {
  CpioWriter writer(fd);
  ABSL_RETURN_IF_ERROR(AddModules(tail.modules, writer));
  ABSL_RETURN_IF_ERROR(AddFiles(tail.files, writer));
  if (!tail.suite.empty()) {
    ABSL_RETURN_IF_ERROR(
        writer.AddFileFromPath(kGuestSuitePath, tail.suite, 0755));
  }
  if (!tail.scheduler.empty()) {
    ABSL_RETURN_IF_ERROR(
        writer.AddFileFromPath(kGuestSchedulerPath, tail.scheduler, 0755));
  }
  ABSL_RETURN_IF_ERROR(writer.AddFile(kGuestSentinelPath, ""));
  return writer.Finish();
}

absl::StatusOr<std::string> BaseInitramfs(const std::string& guestd,
                                          const std::string& cache_dir) {
  ABSL_ASSIGN_OR_RETURN(std::string digest, Sha256HexOfFile(guestd));
  std::string dir = JoinPath(cache_dir, "initramfs");
  std::string path =
      JoinPath(dir, absl::StrCat("base-", kBaseFormat, "-", digest, ".cpio"));
  if (FileExists(path)) return path;
  ABSL_RETURN_IF_ERROR(MakeDirs(dir));
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) {
    return absl::ErrnoToStatus(errno, absl::StrCat("create ", temporary));
  }
  absl::Cleanup remover = [&] { unlink(temporary.c_str()); };
  ABSL_RETURN_IF_ERROR(WriteBase(guestd, fd.get()));
  if (fsync(fd.get()) != 0 || fchmod(fd.get(), 0644) != 0 ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("finish ", path));
  }
  std::move(remover).Cancel();
  return path;
}

}  // namespace ktstr::hostd
