// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Speaks hostd's protocol without machines: each lease ends as its test is
// named ("passes", "fails", "hangs", ...), and what the verifier says about a
// scheduler is as its arguments say. Same flags as hostd.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "grpcpp/grpcpp.h"
#include "proto/hosts.grpc.pb.h"

namespace {

using ::ktstr::v1::Attempt;
using ::ktstr::v1::AttemptKey;
using ::ktstr::v1::AttemptResult;

bool IsSame(const AttemptKey& a, const AttemptKey& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

ktstr::v1::Outcome OutcomeOf(const std::string& test) {
  if (test == "passes" || test == "loads") return ktstr::v1::PASS;
  if (test == "fails") return ktstr::v1::FAIL;
  if (test == "errors") return ktstr::v1::ERROR;
  if (test == "skips") return ktstr::v1::SKIP;
  return ktstr::v1::MISS;
}

bool HasArg(const Attempt& attempt, const std::string& arg) {
  const auto& args = attempt.variant().scheduler().args();
  return std::find(args.begin(), args.end(), arg) != args.end();
}

// The log of a loop, with what a hostile guest would put behind it.
std::string RefusalLog() {
  std::string log;
  for (int i = 0; i < 100; ++i) {
    for (const char* line :
         {"0: (85) call one", "1: (85) call two", "2: (85) call three",
          "3: (85) call four", "4: (05) goto pc-5"}) {
      log += std::string(line) + "\n";
    }
    log += "5: (bf) r0 = r1 ; R1=" + std::to_string(i) + "\n";
  }
  return log + "R1 invalid mem access \x1b[2J\n";
}

void AddPrograms(const Attempt& attempt, AttemptResult& result) {
  ktstr::v1::BpfPrograms& loaded = *result.mutable_bpf_programs();
  ktstr::v1::BpfProgram& enqueue = *loaded.add_programs();
  const bool is_other =
      attempt.variant().scheduler().binary().name() != "scx_fixture";
  uint32_t insns = is_other ? 110 : 100;
  if (HasArg(attempt, "--huge")) insns += 900000;
  enqueue.set_name("enqueue");
  enqueue.set_type("struct_ops");
  enqueue.set_insns(10);
  if (HasArg(attempt, "--reject-load")) {
    enqueue.set_error(13);
    enqueue.set_log(RefusalLog());
    enqueue.set_log_bytes_dropped(7);
    result.set_outcome(ktstr::v1::FAIL);
    result.set_reason("scheduler ended before it attached");
    return;
  }
  enqueue.set_is_accepted(true);
  enqueue.set_verified_insns(insns);
  enqueue.set_processed_insns(insns);
  enqueue.set_total_states(9);
  enqueue.set_peak_states(8);
  enqueue.add_stack_depths(16);
  enqueue.add_stack_depths(8);
  enqueue.set_log("processed 100 insns\n");
  if (!is_other) return;
  ktstr::v1::BpfProgram& dispatch = *loaded.add_programs();
  dispatch = enqueue;
  dispatch.set_name("dispatch");
}

AttemptResult ResultOf(const Attempt& attempt) {
  AttemptResult result;
  *result.mutable_key() = attempt.key();
  result.set_outcome(OutcomeOf(attempt.variant().test()));
  result.mutable_wall_time()->set_nanos(1500000);
  result.mutable_host()->set_host_id("fake");
  ktstr::v1::PhaseEvidence& hello = *result.add_phases();
  hello.set_phase(ktstr::v1::HELLO);
  hello.mutable_since_start()->set_nanos(7000000);
  if (attempt.variant().scheduler().has_binary()) AddPrograms(attempt, result);
  if (result.outcome() == ktstr::v1::PASS || result.has_bpf_programs()) {
    return result;
  }
  // What a hostile guest would send.
  result.set_reason("it " + attempt.variant().test() + " \x1b[31mred");
  ktstr::v1::Finding& finding = *result.add_findings();
  finding.set_kind(ktstr::v1::STARVED);
  finding.set_message("worker 1 ran 0 iterations");
  result.set_console_tail("boot\n\x1b[2Jlast words\n");
  return result;
}

class FakeHost {
 public:
  explicit FakeHost(const std::string& coordinator)
      : stub_(ktstr::v1::Hosts::NewStub(grpc::CreateChannel(
            coordinator, grpc::InsecureChannelCredentials()))) {
    request_.set_host_id("fake");
    request_.set_incarnation("incarnation-" + std::to_string(getpid()));
    request_.set_cpus(64);
    request_.set_memory_mib(65536);
    request_.mutable_context()->set_host_id("fake");
    request_.mutable_max_wait()->set_seconds(5);
    const char* unusable = getenv("FAKE_HOSTD_UNUSABLE");
    if (unusable != nullptr) request_.set_unusable_reason(unusable);
  }

  bool SynchronizeOnce() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    ktstr::v1::SynchronizeResponse response;
    if (!stub_->Synchronize(&context, request_, &response).ok()) return false;
    for (const AttemptKey& key : response.acknowledged()) Forget(key);
    for (const AttemptKey& key : response.revoked()) Forget(key);
    for (const Attempt& lease : response.leases()) Take(lease);
    return true;
  }

 private:
  void Take(const Attempt& lease) {
    if (lease.variant().test() == "dies") _exit(7);
    if (lease.variant().test() != "hangs") {
      *request_.add_finished() = ResultOf(lease);
      return;
    }
    ktstr::v1::RunningAttempt& running = *request_.add_running();
    *running.mutable_key() = lease.key();
    running.set_phase(ktstr::v1::VMM_UP);
  }

  void Forget(const AttemptKey& key) {
    auto& finished = *request_.mutable_finished();
    finished.erase(std::remove_if(finished.begin(), finished.end(),
                                  [&](const AttemptResult& result) {
                                    return IsSame(result.key(), key);
                                  }),
                   finished.end());
    auto& running = *request_.mutable_running();
    running.erase(std::remove_if(running.begin(), running.end(),
                                 [&](const ktstr::v1::RunningAttempt& attempt) {
                                   return IsSame(attempt.key(), key);
                                 }),
                  running.end());
  }

  std::unique_ptr<ktstr::v1::Hosts::Stub> stub_;
  ktstr::v1::SynchronizeRequest request_;
};

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::string coordinator;
  std::string run_dir;
  int ready_fd = -1;
  CLI::App app("fake hostd");
  app.add_option("--coordinator", coordinator);
  app.add_option("--run-dir", run_dir);
  app.add_option("--ready-fd", ready_fd);
  app.add_flag("--exit-with-parent");
  CLI11_PARSE(app, argc, argv);
  FakeHost host(coordinator);
  if (!host.SynchronizeOnce()) return 1;
  if (ready_fd >= 0 && write(ready_fd, "ready\n", 6) != 6) return 1;
  while (host.SynchronizeOnce()) {
  }
  return 1;
}
