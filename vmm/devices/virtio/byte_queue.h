// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_BYTE_QUEUE_H_
#define KTSTR_VMM_DEVICES_VIRTIO_BYTE_QUEUE_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace ktstr::vmm {

// Bytes that wait, first in first out. Takes memory when bytes come and gives
// it back when the last one leaves; the bound is the caller's.
class ByteQueue {
 public:
  size_t size() const { return bytes_.size() - begin_; }
  bool empty() const { return size() == 0; }

  void Append(absl::Span<const std::byte> bytes) {
    // Move what is left to the front once the gap is the larger part, so that
    // the storage stays within twice the content.
    if (begin_ > size()) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + begin_);
      begin_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  // The waiting bytes; valid until the next call that changes the queue.
  absl::Span<const std::byte> front() const {
    return absl::MakeConstSpan(bytes_).subspan(begin_);
  }

  // `count` is at most size().
  void Pop(size_t count) {
    begin_ += count;
    if (empty()) Clear();
  }

  void Clear() {
    std::vector<std::byte>().swap(bytes_);
    begin_ = 0;
  }

 private:
  std::vector<std::byte> bytes_;
  size_t begin_ = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_BYTE_QUEUE_H_
