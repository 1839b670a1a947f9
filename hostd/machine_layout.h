// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_MACHINE_LAYOUT_H_
#define KTSTR_HOSTD_MACHINE_LAYOUT_H_

#include "absl/status/statusor.h"
#include "model/machine_topology.h"
#include "proto/attempt.pb.h"

namespace ktstr::hostd {

// The nodes of a variant's machine; those of none for a uniform one.
//
// Trust:  the variant is whoever's who submitted it.
// Errors: InvalidArgument naming the rule of model/machine_topology.h that is
//         broken, distances that are no square of the nodes, or dedicated
//         hardware, which is for uniform machines.
absl::StatusOr<MachineDetails> ReadMachineLayout(
    const ktstr::v1::VariantSpec& variant, const Topology& topology);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_MACHINE_LAYOUT_H_
