// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/server/random.h"

#include <errno.h>
#include <sys/random.h>

namespace ktstr::coordinator {
namespace {

class GetRandom : public Random {
 public:
  uint64_t Next() override {
    uint64_t value = 0;
    // Eight bytes are never cut short; only a signal before the kernel's pool
    // is ready interrupts.
    while (getrandom(&value, sizeof(value), 0) < 0 && errno == EINTR) {
    }
    return value;
  }
};

}  // namespace

Random& KernelRandom() {
  static GetRandom* const random = new GetRandom;
  return *random;
}

}  // namespace ktstr::coordinator
