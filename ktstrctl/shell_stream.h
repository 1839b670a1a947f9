// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SHELL_STREAM_H_
#define KTSTR_KTSTRCTL_SHELL_STREAM_H_

#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "proto/shells.grpc.pb.h"

namespace ktstr::ktstrctl {

class FleetClient;

// One shell, seen from the person: input goes in, output goes to this process's
// standard output and standard error as it comes.
//
// Threads: two of its own ("shell-out" reads, "shell-in" writes); methods from
//          any other.
// Trust:   what the guest prints reaches the streams unchanged, as a shell's
//          output must; messages of ours are for the caller to print.
class ShellStream {
 public:
  struct Options {
    // Lone line feeds of the console become line ends: the terminal is raw.
    bool is_raw = false;
    int out_fd = 1;
    int err_fd = 2;
  };
  // `client` outlives the object. Errors: the mapping of errno.
  static absl::StatusOr<std::unique_ptr<ShellStream>> Start(
      FleetClient* client, const v1::ShellRequest& request, Options options);
  // Ends it and joins.
  ~ShellStream();

  // Readable while Take() has something to give. Borrowed.
  int fd() const { return event_.get(); }

  struct News {
    // Newest line about what is being done; empty for none.
    std::string progress;
    // The shell runs: input is wanted.
    bool is_started = false;
    bool is_over = false;
    // When it is over: OK and how the shell ended, or why there is no end.
    absl::Status status;
    v1::ShellEnd end;
    // Standard output or error cannot be written any more.
    bool is_output_lost = false;
  };
  News Take();

  // Room for more input; a caller that waits for it learns by fd().
  bool HasRoom() const;
  void SendData(std::string bytes);
  void SendClosed();
  void SendWindow(int rows, int columns);

  // Ends the stream, and the guest with it; is_over follows.
  void Cancel();

 private:
  using Stream =
      grpc::ClientReaderWriter<v1::OpenShellRequest, v1::ShellOutput>;

  ShellStream(FleetClient* client, Options options, UniqueFd event,
              UniqueFd stop);
  void Read();
  void Write();
  void Queue(v1::ShellInput input);
  // False when the output cannot be written or nobody wants it any more.
  bool Print(int fd, absl::string_view bytes);
  bool PrintConsole(absl::string_view bytes);
  void Tell();

  FleetClient* const client_;
  const Options options_;
  const UniqueFd event_;
  const UniqueFd stop_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;

  mutable absl::Mutex mutex_;
  News news_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::OpenShellRequest> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Nothing more is to be written; nothing more will be.
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_over_ ABSL_GUARDED_BY(mutex_) = false;

  // Last: they use all of the above.
  Thread reader_;
  Thread writer_;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SHELL_STREAM_H_
