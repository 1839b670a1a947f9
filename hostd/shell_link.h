// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_SHELL_LINK_H_
#define KTSTR_HOSTD_SHELL_LINK_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "proto/shells.grpc.pb.h"

namespace ktstr::hostd {

// The stream of one shell to the coordinator, and through it to the client.
//
// Threads: Receive() on one; everything else on any.
class ShellLink {
 public:
  // Errors: the mapping of errno.
  static absl::StatusOr<std::unique_ptr<ShellLink>> Create();

  // Opens the stream, before anything but Stop() is called. Whether somebody
  // waits for the token shows in Receive(). `stub` outlives the link.
  //
  // Blocks: until the call was sent or has failed.
  void Attach(ktstr::v1::Shells::StubInterface* stub, const std::string& token);

  // The next message of the client. False: the client or the coordinator is
  // gone, or Close() was answered; stop_fd() is readable then.
  bool Receive(ktstr::v1::ShellInput* input);

  // Nothing is sent behind an `end`. A stream that is over takes it in vain.
  //
  // Blocks: while the client does not read; Stop() ends that.
  void Send(const ktstr::v1::ShellOutput& output);
  void SendProgress(absl::string_view text);

  // Becomes and stays readable when the guest shall go: Stop() was called or
  // the other side is gone.
  int stop_fd() const { return stop_fd_.get(); }

  // Ends the stream at once.
  void Stop();

  // Says that nothing more is sent; the coordinator then ends the stream.
  void Close();

  // How the stream ended, once Receive() said false.
  absl::Status Finish();

 private:
  using Stream =
      grpc::ClientReaderWriterInterface<ktstr::v1::AttachShellRequest,
                                        ktstr::v1::ShellInput>;
  explicit ShellLink(UniqueFd stop_fd) : stop_fd_(std::move(stop_fd)) {}

  const UniqueFd stop_fd_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  // One write at a time.
  absl::Mutex write_mutex_;
  bool has_ended_ ABSL_GUARDED_BY(write_mutex_) = false;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_SHELL_LINK_H_
