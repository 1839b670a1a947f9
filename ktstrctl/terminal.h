// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_TERMINAL_H_
#define KTSTR_KTSTRCTL_TERMINAL_H_

namespace ktstr::ktstrctl {

// What can be done on one output stream.
struct Terminal {
  bool is_terminal = false;
  // A terminal, and neither NO_COLOR nor TERM=dumb is set.
  bool has_colour = false;
  // Columns; 0 when it is no terminal.
  int width = 0;

  static Terminal Of(int fd);
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_TERMINAL_H_
