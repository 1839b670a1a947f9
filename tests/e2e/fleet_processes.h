// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_E2E_FLEET_PROCESSES_H_
#define KTSTR_TESTS_E2E_FLEET_PROCESSES_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/file.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {

// A coordinator and its hosts as separate processes over TCP, with their files
// in a temporary directory.
class FleetProcesses {
 public:
  // Replaces the coordinator, if there is one: it is killed. `listen` is an
  // address; port 0 is any that is free.
  absl::Status StartCoordinator(const std::string& listen = "127.0.0.1:0");

  // One host of this fleet, with one CPU to give away.
  Running StartHost(const std::string& name);

  // Where the coordinator listens.
  const std::string& address() const { return address_; }

 private:
  TempDir dir_ = *TempDir::Create("e2e-fleet-");
  std::optional<Running> coordinator_;
  std::string address_;
};

}  // namespace ktstr::e2e

#endif  // KTSTR_TESTS_E2E_FLEET_PROCESSES_H_
