// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_CLASSIFY_H_
#define KTSTR_HOSTD_CLASSIFY_H_

#include <string>
#include <vector>

#include "hostd/evidence.h"
#include "proto/outcome.pb.h"

namespace ktstr::hostd {

// What became of an attempt.
struct Classification {
  ktstr::v1::Outcome outcome = ktstr::v1::OUTCOME_UNSPECIFIED;
  // One sentence; empty for PASS, unless a failure was expected.
  std::string reason;
  std::vector<ktstr::v1::Finding> findings;
};

// Judges an attempt by its evidence. Pure.
//
// The first row that applies decides:
//
//   seen                                             outcome
//   ------------------------------------------------ -------------------------
//   revoked                                          CANCELLED
//   no machine was started                           MISS
//   panic: no init, no root file system              MISS (our initramfs)
//   panic: PID 1 died                                MISS (our guestd)
//   panic: out of memory before hello                MISS (guest too small)
//   any other panic, at any time                     FAIL KERNEL_PANIC
//   the guest finished its report                    see below
//   hostd going away                                 MISS
//   vmm killed, crashed, without a typed end, or
//     internal error, entry failure, setup failure   MISS
//   hello carries an init error                      MISS
//   scheduler stalled, ejected, ended, not attached  FAIL, see below
//   boot deadline                                    MISS
//   kernel oops                                      FAIL KERNEL_PANIC
//   any later deadline, scheduler requested          FAIL GUEST_HUNG
//   the same with the kernel's default scheduler:
//     the kernel reported a lockup                   FAIL GUEST_HUNG
//     otherwise                                      MISS
//   triple fault or reset after the scheduler
//     attached or the workload started               FAIL KERNEL_PANIC
//   anything else that ended early                   MISS
//
//   after a finished report                          outcome
//   ------------------------------------------------ -------------------------
//   scheduler stalled, ejected, ended, not attached  FAIL, see below
//   kernel oops                                      FAIL KERNEL_PANIC
//   guestd names an INFRASTRUCTURE failure           MISS
//   guestd names another failure                     ERROR
//   test timed out, scheduler under test attached    FAIL STUCK
//   test timed out, kernel's default                 ERROR TEST_CRASHED
//   no verdict, or test ended badly after a pass     ERROR TEST_CRASHED
//   verdict with TEST_BODY_ERROR                     ERROR
//   verdict skipped / failed / passed                SKIP / FAIL / PASS
//
// Of a scheduler, the first that applies:
//
//   seen                                             finding
//   ------------------------------------------------ -------------------------
//   it never attached: guestd says why               SCHEDULER_DIED or
//                                                    SCHEDULER_NOT_ATTACHED
//   the kernel ended it: a task did not run          SCHEDULER_STALLED
//   the kernel ended it: an error, itself, SysRq     SCHEDULER_EJECTED
//   its process ended, or it detached by itself,
//     before the test was over                       SCHEDULER_DIED
//   the kernel unloaded it and did not say why       SCHEDULER_EJECTED
//
// Whether its process has ended as well says nothing once the kernel has: most
// schedulers end when they are told.
//
// A guest that hangs only after its last event (shutdown deadline) keeps its
// verdict: nothing under test was running any more.
//
// A boot that hangs without a panic is a MISS because nothing in it tells a
// broken kernel from a broken or overloaded machine; a kernel that panics has
// said whose fault it is.
Classification Classify(const Evidence& evidence);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_CLASSIFY_H_
