// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The whole user space of a guest in a race: says "!" and leaves. Through the
// kernel's log, because a terminal needs an interrupt that not every machine
// routes.
#include <fcntl.h>
#include <sys/reboot.h>
#include <unistd.h>

int main() {
  int log = open("/dev/kmsg", O_WRONLY);
  (void)!write(log, "<0>!", 4);
  reboot(RB_POWER_OFF);
  reboot(RB_AUTOBOOT);
  return 0;
}
