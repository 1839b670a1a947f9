// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_FRAMES_H_
#define KTSTR_KTSTR_INTERNAL_FRAMES_H_

#include <string>

#include "absl/status/status.h"
#include "ktstr/context.h"
#include "ktstr/verdict.h"

namespace ktstr::internal {

// What a test tells guestd: length-delimited ktstr.v1.TestFrame.
//
// Shape: 4 bytes length, little endian, at most kMaxFrameBytes, then the frame.
inline constexpr size_t kMaxFrameBytes = 1 << 20;

// One frame with its length. A verdict that would be too long loses groups
// first, then findings, and says so in its last finding.
std::string EncodeStarted();
std::string EncodeStimulus(const StimulusRecord& record);
std::string EncodeVerdict(const Verdict& verdict);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_FRAMES_H_
