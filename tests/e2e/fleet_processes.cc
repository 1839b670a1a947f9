// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/e2e/fleet_processes.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::e2e {

absl::Status FleetProcesses::StartCoordinator(const std::string& listen) {
  coordinator_.reset();
  ABSL_ASSIGN_OR_RETURN(
      Running started,
      Running::Start({Program("coordinator"), "--listen", listen, "--data",
                      JoinPath(dir_.path(), "data"), "--host-timeout", "5",
                      "--ready-fd", "1"}));
  coordinator_.emplace(std::move(started));
  // It prints the address once it serves.
  ABSL_RETURN_IF_ERROR(
      coordinator_->AwaitLine("127.0.0.1:", absl::Seconds(30)));
  ABSL_RETURN_IF_ERROR(coordinator_->AwaitLine("\n", absl::Seconds(30)));
  const std::string& text = coordinator_->output();
  const size_t begin = text.find("127.0.0.1:");
  address_ =
      text.substr(begin, text.find_first_not_of("0123456789.:", begin) - begin);
  return absl::OkStatus();
}

Running FleetProcesses::StartHost(const std::string& name) {
  absl::StatusOr<Running> host = Running::Start(
      {Program("hostd"), "--coordinator", address_, "--host-id", name,
       "--cache", JoinPath(dir_.path(), name + "-cache"), "--run-dir",
       JoinPath(dir_.path(), name + "-run"), "--cpus", "1"});
  EXPECT_OK(host);
  return *std::move(host);
}

}  // namespace ktstr::e2e
