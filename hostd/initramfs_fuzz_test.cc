// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "hostd/initramfs.h"

// Every line is an entry: its first byte chooses the kind, the rest is the
// path.
namespace ktstr::hostd {
namespace {

// A file of the host, by descriptor and by path.
struct Source {
  UniqueFd fd = MemoryFile("source", "five!").value();
  std::string path = absl::StrCat("/proc/self/fd/", fd.get());
};

// Each line is an entry, its first byte the kind, the rest its path.
void WriteEntries(absl::string_view input, const Source& source, int fd) {
  CpioWriter writer(fd);
  for (absl::string_view line : absl::StrSplit(input, '\n')) {
    if (line.empty()) continue;
    const std::string path(line.substr(1));
    const uint64_t before = writer.size_bytes();
    absl::Status status;
    switch (line[0] % 8) {
      case 0:
        status = writer.AddDirectory(path);
        break;
      case 1:
        status = writer.AddFile(path, path);
        break;
      case 2:
        status = writer.AddSymlink(path, path);
        break;
      case 3:
        status = writer.AddCharDevice(path, 1, 3);
        break;
      case 4:
        status = writer.AddFileFrom(path, source.fd.get());
        break;
      case 5:
        status = writer.AddFileFromPath(path, source.path);
        break;
      case 6:
        // No regular file, or none at all.
        status = writer.AddFileFromPath(path, "/dev");
        if (status.ok()) abort();
        break;
      case 7:
        if (!writer.Finish().ok()) abort();
        continue;
    }
    // A refused entry leaves the archive as it was.
    if (!status.ok() && writer.size_bytes() != before) abort();
    if (writer.size_bytes() % 4 != 0) abort();
  }
  if (!writer.Finish().ok() || writer.size_bytes() % 4096 != 0) abort();
}

// The same lines as what a submission adds to the base: modules and files.
void WriteTail(absl::string_view input, const Source& source, int fd) {
  InitramfsTail tail = {.suite = source.path};
  for (absl::string_view line : absl::StrSplit(input, '\n')) {
    if (line.empty()) continue;
    switch (line[0] % 4) {
      case 0:
        tail.modules.push_back({.host_path = source.path,
                                .guest_path = std::string(line.substr(1))});
        break;
      case 1:
        tail.scheduler = source.path;
        break;
      case 2:
        tail.files.push_back({.host_path = source.path,
                              .guest_path = std::string(line.substr(1))});
        break;
      case 3:
        tail.files.push_back({.host_path = "/dev/null",
                              .guest_path = std::string(line.substr(1))});
        break;
    }
  }
  if (tail.files.size() > 64) tail.files.resize(64);
  if (tail.modules.size() > 64) tail.modules.resize(64);
  if (WriteInitramfsTail(tail, fd).ok() && lseek(fd, 0, SEEK_CUR) % 4096 != 0) {
    abort();
  }
}

}  // namespace
}  // namespace ktstr::hostd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const source = new ktstr::hostd::Source;
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  // Each entry costs several system calls.
  if (input.empty() || input.size() > 512) return 0;
  ktstr::UniqueFd fd(memfd_create("fuzz", MFD_CLOEXEC));
  const bool is_tail = input[0] & 1;
  input.remove_prefix(1);
  if (is_tail) {
    ktstr::hostd::WriteTail(input, *source, fd.get());
  } else {
    ktstr::hostd::WriteEntries(input, *source, fd.get());
  }
  return 0;
}
