// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_STREAMING_HOST_H_
#define KTSTR_VMM_DEVICES_TESTING_STREAMING_HOST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "vmm/devices/testing/stream_pattern.h"

namespace ktstr::vmm::testing {

// The host's programs of a test of many vsock streams, all in one thread: each
// sends all there is to send, says that it is done, compares what comes and
// waits for the guest's end of it.
//
// Threads:  one, which is another than the device's.
// Lifetime: borrows the pattern.
// Errors:   fail the running test and end Run().
class StreamingHost {
 public:
  // `path` is the device's.
  StreamingHost(std::string path, const StreamPattern* pattern,
                StreamPlan plan);

  // Before the guest starts: somebody listens at each port it will call.
  void Start();

  // Blocks: until all programs are through.
  void Run();

 private:
  struct Program {
    UniqueFd listener;
    UniqueFd stream;
    // Host to guest: the device's "OK" came.
    bool is_open = false;
    uint64_t sent = 0;
    uint64_t received = 0;
    bool saw_end = false;
    bool is_finished = false;
  };

  void Watch(int index, uint32_t events, int how);
  void Serve(int index);
  void TakeAnswer(int index);
  bool Reads(int index) const;
  uint32_t Wanted(int index) const;
  void Read(int index);
  void Write(int index);
  void Finish(int index);

  const std::string path_;
  const StreamPattern* const pattern_;
  const StreamPlan plan_;
  UniqueFd epoll_;
  std::vector<Program> programs_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
  int finished_ = 0;
};

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_STREAMING_HOST_H_
