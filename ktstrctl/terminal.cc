// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "absl/strings/string_view.h"

namespace ktstr::ktstrctl {
namespace {

constexpr int kUsualWidth = 80;

absl::string_view Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Terminal Terminal::Of(int fd) {
  Terminal terminal;
  terminal.is_terminal = isatty(fd) == 1 && Environment("TERM") != "dumb";
  if (!terminal.is_terminal) return terminal;
  terminal.has_colour = Environment("NO_COLOR").empty();
  winsize size = {};
  bool is_known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  terminal.width = is_known ? size.ws_col : kUsualWidth;
  return terminal;
}

}  // namespace ktstr::ktstrctl
