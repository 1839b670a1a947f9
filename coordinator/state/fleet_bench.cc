// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// How many results a second a fleet accepts durably, without the network:
// fleet_bench [HOSTS [VARIANTS [CPUS]]]. Prints one JSON line.

#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/thread.h"
#include "coordinator/placement/fair_policy.h"
#include "coordinator/state/fleet.h"
#include "coordinator/store/sqlite_store.h"

namespace ktstr::coordinator {
namespace {

void Create(Fleet& fleet, int variants) {
  RunRecord run = {.run_id = "r", .request_id = "q", .max_attempts = 3};
  std::vector<VariantDraft> drafts(variants);
  for (VariantDraft& draft : drafts) {
    draft.cpus = 1;
    draft.spec.set_name("gauntlet/steady/tiny-1llc/default");
    draft.spec.set_memory_mib(256);
  }
  fleet.CreateRun(std::move(run), drafts).value();
}

void Work(Fleet& fleet, int number, int cpus) {
  v1::SynchronizeRequest request;
  request.set_host_id(absl::StrCat("h", number));
  request.set_incarnation("i");
  request.set_cpus(cpus);
  request.set_memory_mib(1 << 20);
  while (!fleet.View("r", 0, 0).value().run.is_finished()) {
    v1::SynchronizeResponse response =
        fleet.Synchronize(request, [] { return false; }).value();
    request.clear_finished();
    for (const v1::Attempt& lease : response.leases()) {
      v1::AttemptResult& result = *request.add_finished();
      *result.mutable_key() = lease.key();
      result.set_outcome(v1::PASS);
    }
  }
}

int Main(int hosts, int variants, int cpus) {
  TempDir dir = TempDir::Create("bench").value();
  auto store = SqliteStore::Open(JoinPath(dir.path(), "db")).value();
  FairPolicy policy;
  auto fleet = Fleet::Create(store.get(), &policy, &RealClock(), {}).value();
  const absl::Duration created = RealClock().Monotonic();
  Create(*fleet, variants);
  const absl::Duration start = RealClock().Monotonic();
  {
    std::vector<Thread> threads;
    for (int i = 0; i < hosts; ++i) {
      threads.emplace_back("host", [&, i] { Work(*fleet, i, cpus); });
    }
  }
  const absl::Duration taken = RealClock().Monotonic() - start;
  printf(
      "{\"hosts\":%d,\"variants\":%d,\"submit_s\":%.3f,"
      "\"accepted_per_s\":%.0f}\n",
      hosts, variants, absl::ToDoubleSeconds(start - created),
      variants / absl::ToDoubleSeconds(taken));
  return 0;
}

}  // namespace
}  // namespace ktstr::coordinator

int main(int argc, char** argv) {
  return ktstr::coordinator::Main(argc > 1 ? atoi(argv[1]) : 8,
                                  argc > 2 ? atoi(argv[2]) : 20000,
                                  argc > 3 ? atoi(argv[3]) : 32);
}
