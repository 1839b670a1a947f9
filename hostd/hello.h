// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_HELLO_H_
#define KTSTR_HOSTD_HELLO_H_

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "model/guest_layout.h"
#include "proto/guest.pb.h"

namespace ktstr::hostd {

// Collects the bytes of one hello: a length (4 bytes, little endian, at most
// 65,536) and the message. Pure.
class HelloParser {
 public:
  static constexpr size_t kMaxBytes = kMaxHelloBytes;

  // The hello once it is complete, nullopt before.
  //
  // Errors: InvalidArgument for a length out of range, bytes that are no Hello,
  //         or bytes behind it; the parser is of no use afterwards.
  absl::StatusOr<std::optional<ktstr::v1::Hello>> Append(
      absl::string_view bytes);

 private:
  std::string bytes_;
};

// OK when the hello belongs to this attempt.
//
// Errors: InvalidArgument naming what differs: protocol, epoch or nonce.
absl::Status CheckHello(const ktstr::v1::Hello& hello, int64_t epoch,
                        absl::string_view nonce);

// Listens where the guest's hello arrives and accepts the one valid hello.
//
// Trust:   whoever connects is hostile: at most kMaxPending connections at a
//          time, kMaxRefused in all.
// Threads: one thread, which polls: AddPollFds, poll(2), HandleEvents.
class HelloListener {
 public:
  static constexpr size_t kMaxPending = 8;
  static constexpr int kMaxRefused = 64;

  // Binds the unix socket `path`; removed by the destructor.
  //
  // Errors: InvalidArgument when the path is too long for a socket address;
  //         the mapping of errno.
  static absl::StatusOr<HelloListener> Create(const std::string& path,
                                              int64_t epoch, std::string nonce);
  HelloListener(HelloListener&&) = default;
  ~HelloListener();

  void AddPollFds(std::vector<pollfd>* polled) const;
  // Reads what is ready, without blocking. Once hello() has a value, nothing is
  // accepted any more.
  void HandleEvents();

  const std::optional<ktstr::v1::Hello>& hello() const { return hello_; }
  // The connection the hello came on: its hang-up means guestd is gone.
  int connection() const { return connection_.get(); }
  // Why the last refused connection was refused; empty when none was.
  const std::string& refused() const { return refused_; }
  bool is_exhausted() const { return refusals_ >= kMaxRefused; }

 private:
  struct Pending {
    UniqueFd fd;
    HelloParser parser;
  };
  HelloListener(std::string path, UniqueFd listener, int64_t epoch,
                std::string nonce);
  void Accept();
  // False when the connection is over.
  bool Read(Pending* pending);
  void Refuse(absl::string_view why);

  // Empty in a moved-from listener.
  std::string path_;
  UniqueFd listener_;
  int64_t epoch_;
  std::string nonce_;
  std::vector<Pending> pending_;
  std::optional<ktstr::v1::Hello> hello_;
  UniqueFd connection_;
  std::string refused_;
  int refusals_ = 0;
};

// Binds and listens on a unix stream socket, non-blocking. Errors as
// HelloListener::Create.
absl::StatusOr<UniqueFd> ListenOnUnixSocket(const std::string& path);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_HELLO_H_
