// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "hostd/initramfs.h"

// Every line is an entry: its first byte chooses the kind, the rest is the
// path.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  ktstr::UniqueFd fd(memfd_create("fuzz", MFD_CLOEXEC));
  ktstr::hostd::CpioWriter writer(fd.get());
  for (absl::string_view line : absl::StrSplit(input, '\n')) {
    if (line.empty()) continue;
    std::string path(line.substr(1));
    uint64_t before = writer.size_bytes();
    absl::Status status;
    switch (line[0] % 4) {
      case 0:
        status = writer.AddDirectory(path);
        break;
      case 1:
        status = writer.AddFile(path, path);
        break;
      case 2:
        status = writer.AddSymlink(path, path);
        break;
      default:
        status = writer.AddCharDevice(path, 1, 3);
        break;
    }
    // A refused entry leaves the archive as it was.
    if (!status.ok() && writer.size_bytes() != before) abort();
    if (writer.size_bytes() % 4 != 0) abort();
  }
  if (!writer.Finish().ok() || writer.size_bytes() % 4096 != 0) abort();
  return 0;
}
