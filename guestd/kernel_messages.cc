// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/kernel_messages.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace ktstr::guestd {
namespace {

// The longest that the kernel gives out (PRINTK_MESSAGE_MAX).
constexpr size_t kMaxRecordBytes = 8192;
// In one turn of the loop; the rest of it has to go on.
constexpr int kRecordsPerTurn = 256;
// More than a log buffer holds, unless somebody fills it meanwhile.
constexpr int kMaxRecordsPerDrain = 1 << 17;

// The character that "\xNN" at the front of `text` stands for; nothing when it
// stays.
absl::optional<char> Unescape(absl::string_view text) {
  absl::string_view escape = text.substr(0, 4);
  if (escape == "\\x0a") return '\n';
  if (escape == "\\x09") return '\t';
  if (escape == "\\x5c") return '\\';
  return absl::nullopt;
}

}  // namespace

absl::optional<std::string> ParseKernelMessage(absl::string_view record) {
  size_t semicolon = record.find(';');
  int priority = 0;
  // Bits from 3 on are the facility: 0 is the kernel, and no process may claim
  // to be it.
  if (semicolon == absl::string_view::npos ||
      !absl::SimpleAtoi(record.substr(0, record.find(',')), &priority) ||
      priority < 0 || priority >> 3 != 0) {
    return absl::nullopt;
  }
  record.remove_prefix(semicolon + 1);
  record = record.substr(0, record.find('\n'));
  std::string text;
  while (!record.empty()) {
    absl::optional<char> c = Unescape(record);
    text.push_back(c.value_or(record.front()));
    record.remove_prefix(c ? 4 : 1);
  }
  return text;
}

absl::StatusOr<UniqueFd> OpenKernelMessages() {
  UniqueFd fd(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, "open /dev/kmsg");
  if (lseek(fd.get(), 0, SEEK_END) < 0) {
    return absl::ErrnoToStatus(errno, "seek /dev/kmsg");
  }
  return fd;
}

KernelMessages::KernelMessages(
    UniqueFd fd, EventLoop* loop,
    std::function<void(absl::string_view)> on_message)
    : fd_(std::move(fd)), loop_(loop), on_message_(std::move(on_message)) {
  loop_->Watch(fd_.get(), POLLIN, [this] {
    for (int i = 0; i < kRecordsPerTurn && ReadOne(); ++i) {
    }
  });
}

KernelMessages::~KernelMessages() { loop_->Forget(fd_.get()); }

void KernelMessages::Drain() {
  for (int i = 0; i < kMaxRecordsPerDrain && ReadOne(); ++i) {
  }
}

bool KernelMessages::ReadOne() {
  char buffer[kMaxRecordBytes];
  ssize_t count = read(fd_.get(), buffer, sizeof(buffer));
  // EPIPE: records were overwritten before they were read; the next read
  // continues with the oldest there is. EINVAL: one that is longer than all
  // that the kernel gives out.
  if (count < 0 && (errno == EINTR || errno == EPIPE || errno == EINVAL)) {
    return true;
  }
  if (count <= 0) return false;
  absl::optional<std::string> text =
      ParseKernelMessage(absl::string_view(buffer, count));
  if (text) on_message_(*text);
  return true;
}

}  // namespace ktstr::guestd
