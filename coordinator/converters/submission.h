// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_CONVERTERS_SUBMISSION_H_
#define KTSTR_COORDINATOR_CONVERTERS_SUBMISSION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/store/store.h"
#include "gauntlet/expand.h"
#include "proto/fleet.pb.h"

namespace ktstr::coordinator {

// A submission in the gauntlet's terms.
//
// Trust:  everything in the request is checked here: names, sizes, paths,
//         formats, limits.
// Errors: InvalidArgument naming the field and what is accepted.
absl::StatusOr<gauntlet::Request> ToGauntletRequest(
    const v1::SubmitRequest& request);

// The variants of an expansion of ToGauntletRequest(request), ready to store.
//
// Errors:
//   InvalidArgument  a scheduler with a program on a kernel without
//                    CONFIG_SCHED_CLASS_EXT; the message names both.
absl::StatusOr<std::vector<VariantDraft>> ToDrafts(
    const v1::SubmitRequest& request, const gauntlet::Expansion& expansion);

// Every artifact the request names, each digest once.
std::vector<v1::ArtifactRef> ArtifactsOf(const v1::SubmitRequest& request);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_CONVERTERS_SUBMISSION_H_
