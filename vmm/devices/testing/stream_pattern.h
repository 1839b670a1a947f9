// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_STREAM_PATTERN_H_
#define KTSTR_VMM_DEVICES_TESTING_STREAM_PATTERN_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "absl/types/span.h"

namespace ktstr::vmm::testing {

// Who talks to whom in a test of many vsock streams: stream i connects guest
// port kGuestPort + i with a program of the host's; even ones are opened by the
// guest, at host port kHostPort + i, odd ones by the host.
struct StreamPlan {
  static constexpr uint32_t kCid = 7;
  static constexpr uint32_t kGuestPort = 1000;
  static constexpr uint32_t kHostPort = 2000;
  static constexpr uint32_t kMaxPayload = 64 * 1024;
  // Nobody hears from anybody for so long: something is stuck.
  static constexpr int kPatienceMs = 60'000;

  int streams = 0;
  // Each way on each.
  uint64_t stream_bytes = 0;
  // The stream whose host program does not read before all others are through.
  int late_reader = 0;

  static bool IsOpenedByGuest(int stream) { return stream % 2 == 0; }
};

// What streams carry: random bytes with a prime period, from a place of each
// stream's and direction's own, so that bytes of others, lost pieces and
// repeated ones do not fit.
class StreamPattern {
 public:
  static constexpr uint64_t kPeriod = 1'000'003;

  StreamPattern() : bytes_(kPeriod + StreamPlan::kMaxPayload) {
    std::mt19937 random(1);
    for (uint64_t i = 0; i < kPeriod; ++i) bytes_[i] = char(random());
    std::copy_n(bytes_.begin(), StreamPlan::kMaxPayload,
                bytes_.begin() + kPeriod);
  }

  // Where the stream's byte `at` lies; StreamPlan::kMaxPayload bytes follow.
  static uint64_t IndexOf(int stream, bool is_from_guest, uint64_t at) {
    const uint64_t start = uint64_t(stream) * 15'013 + (is_from_guest ? 7 : 0);
    return (start + at) % kPeriod;
  }
  absl::Span<const char> bytes() const { return bytes_; }
  bool Matches(int stream, bool is_from_guest, uint64_t at, const char* data,
               size_t size) const {
    while (size > 0) {
      const size_t n = std::min<size_t>(size, StreamPlan::kMaxPayload);
      const uint64_t index = IndexOf(stream, is_from_guest, at);
      if (std::memcmp(bytes_.data() + index, data, n) != 0) return false;
      data += n;
      at += n;
      size -= n;
    }
    return true;
  }

 private:
  std::vector<char> bytes_;
};

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_STREAM_PATTERN_H_
