// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_CHILD_H_
#define KTSTR_GUESTD_CHILD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "guestd/event_loop.h"

namespace ktstr::guestd {

// A process whose output and end are events of a loop.
//
// Shape:    own process group, standard input empty, standard output and error
//           together into one pipe; ordinary scheduling class.
// Trust:    output may be endless: pieces of at most 64 KiB, and after
//           kMaxOutputBytes the rest is read and dropped, with one note.
// Lifetime: the destructor kills the group. `loop` outlives the child.
class Child {
 public:
  static constexpr uint64_t kMaxOutputBytes = 32 << 20;

  struct Callbacks {
    std::function<void(absl::string_view)> on_output;
    // Once, after everything the process itself wrote was delivered.
    std::function<void(const ExitStatus&)> on_exit;
  };

  // `spec.inherited_fds` must leave 0, 1 and 2 alone.
  //
  // Errors: as Subprocess::Start().
  static absl::StatusOr<std::unique_ptr<Child>> Start(CommandSpec spec,
                                                      EventLoop* loop,
                                                      Callbacks callbacks);
  ~Child();

  pid_t pid() const { return process_.pid(); }
  bool is_running() const { return !exit_.has_value(); }
  // How it ended, as far as it has.
  const absl::optional<ExitStatus>& exit() const { return exit_; }

  // To the whole group, also after the leader has ended.
  void Kill(int signal);

 private:
  Child(Subprocess process, UniqueFd output, EventLoop* loop,
        Callbacks callbacks);
  // False at end of file.
  bool ReadOutput();
  void OnOutput();
  void OnExit();
  void Deliver(absl::string_view bytes);

  EventLoop* const loop_;
  const Callbacks callbacks_;
  Subprocess process_;
  UniqueFd output_;
  uint64_t delivered_bytes_ = 0;
  absl::optional<ExitStatus> exit_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_CHILD_H_
