// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/kernel_log.h"

#include <fcntl.h>
#include <sys/klog.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "model/guest_layout.h"

namespace ktstr::guestd {
namespace {

// man 2 syslog
constexpr int kReadAll = 3;
constexpr int kSizeBuffer = 10;
constexpr int kMaxBytes = 1 << 20;
// "<191>" is the longest.
constexpr size_t kMaxPriority = 5;

absl::string_view StripPriority(absl::string_view line) {
  size_t end = line.substr(0, kMaxPriority).find('>');
  if (line.empty() || line[0] != '<' || end == line.npos || end < 2) {
    return line;
  }
  absl::string_view number = line.substr(1, end - 1);
  bool is_number =
      std::all_of(number.begin(), number.end(), absl::ascii_isdigit);
  return is_number ? line.substr(end + 1) : line;
}

}  // namespace

std::string ReadKernelLog() {
  int size = klogctl(kSizeBuffer, nullptr, 0);
  if (size <= 0) return "";
  std::string log(std::min(size, kMaxBytes), '\0');
  int count = klogctl(kReadAll, log.data(), static_cast<int>(log.size()));
  log.resize(std::max(count, 0));
  return WithoutPriorities(log);
}

void MarkKernelLog() {
  UniqueFd log(open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
  // 7: debug.
  const std::string line = absl::StrCat("<7>", kKernelLogMark, "\n");
  if (log) (void)!write(log.get(), line.data(), line.size());
}

std::string WithoutPriorities(absl::string_view log) {
  std::string text;
  text.reserve(log.size());
  while (!log.empty()) {
    size_t end = log.find('\n');
    absl::string_view line = log.substr(0, end == log.npos ? end : end + 1);
    absl::StrAppend(&text, StripPriority(line));
    log.remove_prefix(line.size());
  }
  return text;
}

}  // namespace ktstr::guestd
