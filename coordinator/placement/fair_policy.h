// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_PLACEMENT_FAIR_POLICY_H_
#define KTSTR_COORDINATOR_PLACEMENT_FAIR_POLICY_H_

#include <vector>

#include "coordinator/placement/policy.h"

namespace ktstr::coordinator {

// Runs take turns, oldest first; within a run variants go in the order given.
// Each goes to the host with the largest free share of CPUs that has room, so
// that no host idles while another is full. A variant that fits nowhere is
// passed over. A variant whose attempt went missing on a host returns there
// only when it has been missing on every host.
class FairPolicy : public PlacementPolicy {
 public:
  std::vector<Assignment> Place(absl::Span<const Waiting> waiting,
                                absl::Span<const HostView> hosts) override;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_PLACEMENT_FAIR_POLICY_H_
