// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_CHILD_SIGNAL_H_
#define KTSTR_GUESTD_CHILD_SIGNAL_H_

#include "base/unique_fd.h"

namespace ktstr::guestd {

// Makes a descriptor readable whenever a child of this process has ended,
// orphans that an init inherits included: those have no pidfd anybody opened.
// With kEndsAndStops also when a child, or a thread traced by ptrace, stops.
//
// Threads:  one object at a time in the whole process (SIGCHLD is its own).
// Lifetime: the destructor goes back to the default.
class ChildSignal {
 public:
  enum class Reports { kEnds, kEndsAndStops };

  explicit ChildSignal(Reports reports = Reports::kEnds);
  ~ChildSignal();

  int fd() const { return event_.get(); }
  // Makes it unreadable until the next end.
  void Clear();

 private:
  const UniqueFd event_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_CHILD_SIGNAL_H_
