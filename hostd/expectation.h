// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_EXPECTATION_H_
#define KTSTR_HOSTD_EXPECTATION_H_

#include "hostd/classify.h"
#include "proto/outcome.pb.h"

namespace ktstr::hostd {

// Judges what an attempt came to by how it was declared to fail. Pure.
//
//   expectation  outcome  found                              becomes
//   -----------  -------  ---------------------------------  -------
//   empty        any      anything                           as it is
//   any          other than PASS and FAIL                    as it is
//   any          PASS                                        FAIL
//   NOT_AS_EXPECTED any          FAIL     all that was expected, no more PASS,
//   with the reason any          FAIL     anything else FAIL NOT_AS_EXPECTED
//
// Findings stay; those that were expected or tolerated are marked. `exit` is
// how the kernel ended the scheduler, EXIT_UNSPECIFIED when it did not say.
void ApplyExpectation(const ktstr::v1::Expectation& expectation,
                      ktstr::v1::SchedulerExitKind exit,
                      Classification* judged);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_EXPECTATION_H_
