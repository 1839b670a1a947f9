// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_INTERRUPT_H_
#define KTSTR_VMM_DEVICES_INTERRUPT_H_

#include <functional>

namespace ktstr::vmm {

// Raises one edge of the interrupt a device was given; in production a write
// to an irqfd, in tests a counter. An empty one means not connected; devices
// call through RaiseInterrupt.
//
// Threads: any, several at once.
// Blocks:  never.
using InterruptLine = std::function<void()>;

inline void RaiseInterrupt(const InterruptLine& line) {
  if (line) line();
}

// An edge for each call, by an eventfd registered with KVM_IRQFD.
//
// Lifetime: borrows `eventfd`, which outlives the line.
InterruptLine EventfdInterrupt(int eventfd);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_INTERRUPT_H_
