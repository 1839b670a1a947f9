// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/interrupt.h"

#include <sys/eventfd.h>

namespace ktstr::vmm {

InterruptLine EventfdInterrupt(int eventfd) {
  return [eventfd] { eventfd_write(eventfd, 1); };
}

}  // namespace ktstr::vmm
