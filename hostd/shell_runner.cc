// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/shell_runner.h"

#include <poll.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "hostd/text.h"
#include "model/topology.h"

namespace ktstr::hostd {
namespace {

constexpr absl::Duration kDefaultBoot = absl::Seconds(60);

bool IsReadable(int fd) {
  pollfd polled = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&polled, 1, 0) > 0;
}

}  // namespace

ShellRunner::ShellRunner(GuestBootOptions options, const RunDir* run_dir,
                         ArtifactCache* cache, PackGuest pack)
    : options_(std::move(options)),
      run_dir_(run_dir),
      cache_(cache),
      pack_(std::move(pack)) {}

void ShellRunner::Run(const ktstr::v1::ShellLease& lease,
                      ShellLink* link) const {
  ShellInlet inlet;
  Thread input("shell-in", [&] {
    ktstr::v1::ShellInput message;
    while (link->Receive(&message)) inlet.Forward(message);
  });
  absl::StatusOr<ktstr::v1::ShellEnd> end = RunGuest(lease, link, &inlet);
  ktstr::v1::ShellOutput output;
  if (end.ok()) {
    *output.mutable_end() = *std::move(end);
  } else {
    output.mutable_end()->set_kind(ktstr::v1::ShellEnd::FAILED);
    output.mutable_end()->set_message(
        PrintableText(end.status().message(), 1024));
  }
  link->Send(output);
  link->Close();
}

absl::StatusOr<ktstr::v1::ShellEnd> ShellRunner::RunGuest(
    const ktstr::v1::ShellLease& lease, ShellLink* link,
    ShellInlet* inlet) const {
  const ktstr::v1::ShellRequest& request = lease.request();
  ABSL_ASSIGN_OR_RETURN(Topology topology, Topology::Parse(request.topology()));
  link->SendProgress("fetching kernel and files");
  ABSL_ASSIGN_OR_RETURN(HeldArtifact kernel,
                        FetchArtifact(request.kernel(), cache_));
  std::vector<UniqueFd> initrds;
  {
    ABSL_ASSIGN_OR_RETURN(std::vector<GuestImageFile> files,
                          FetchShellFiles(request, cache_));
    ABSL_ASSIGN_OR_RETURN(initrds, pack_(files));
  }
  if (IsReadable(link->stop_fd())) {
    return absl::CancelledError("stopped before the machine was started");
  }
  link->SendProgress("booting the guest");
  ABSL_ASSIGN_OR_RETURN(
      StartedGuest guest,
      StartedGuest::Start(options_, *run_dir_,
                          {.topology = topology,
                           .memory_mib = request.memory_mib(),
                           .is_verbose = request.wants_console(),
                           .kernel = &kernel,
                           .initrds = &initrds}));
  ShellWatch watch(
      {.boot_timeout = FromProtoDurationOr(lease.boot_timeout(), kDefaultBoot),
       .sends_console = request.wants_console(),
       .start = request.start(),
       .clock = options_.clock},
      &guest, link, inlet);
  return watch.Run();
}

}  // namespace ktstr::hostd
