// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/submit_session.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/embedded_fleet.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/fleet_client.h"
#include "ktstrctl/interrupts.h"
#include "ktstrctl/progress.h"
#include "ktstrctl/run_follower.h"
#include "ktstrctl/run_summary.h"
#include "ktstrctl/terminal.h"
#include "proto/fleet.pb.h"
#include "results/junit.h"
#include "results/leniency.h"
#include "results/report.h"
#include "results/result_directory.h"
#include "results/table.h"
#include "results/verifier.h"

namespace ktstr::ktstrctl {
namespace {

constexpr int kSubmitTries = 5;
constexpr int kShownExclusions = 10;

// What a signal ends. The signal thread and the main thread meet here.
class Cancellation {
 public:
  // On the signal thread.
  void OnSignal(int count) {
    absl::MutexLock lock(&mutex_);
    if (count == 1 && is_submitted_) {
      is_wanted_ = true;
      if (follower_ != nullptr) follower_->RequestCancel();
      return;
    }
    if (fleet_ != nullptr) fleet_->KillNow();
    _exit(kExitCancelled);
  }

  void SetFleet(EmbeddedFleet* fleet) {
    absl::MutexLock lock(&mutex_);
    fleet_ = fleet;
  }
  // From here on a run may exist: the first signal cancels it.
  void SetSubmitted() {
    absl::MutexLock lock(&mutex_);
    is_submitted_ = true;
  }
  void SetFollower(RunFollower* follower) {
    absl::MutexLock lock(&mutex_);
    follower_ = follower;
    if (is_wanted_ && follower_ != nullptr) follower_->RequestCancel();
  }

 private:
  absl::Mutex mutex_;
  bool is_submitted_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  EmbeddedFleet* fleet_ ABSL_GUARDED_BY(mutex_) = nullptr;
  RunFollower* follower_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

// OK when some host takes work. An embedded fleet has one host, which must; in
// somebody's lab they may come later, and the answer is a note.
absl::Status CheckHosts(FleetClient& client, bool is_embedded,
                        Progress& progress) {
  ABSL_ASSIGN_OR_RETURN(v1::ListHostsResponse response, client.ListHosts());
  std::string unusable;
  for (const v1::Host& host : response.hosts()) {
    if (!host.is_alive()) continue;
    if (host.unusable_reason().empty()) return absl::OkStatus();
    unusable = host.unusable_reason();
  }
  if (is_embedded) {
    return absl::UnavailableError(
        absl::StrCat("this machine cannot run guests: ", unusable,
                     "; `ktstrctl doctor` says more"));
  }
  progress.Note(unusable.empty()
                    ? "no host is connected yet; the run waits for one"
                    : absl::StrCat("no host takes work yet (", unusable,
                                   "); the run waits for one"));
  return absl::OkStatus();
}

// Repeats when the connection breaks; the request id makes that harmless.
absl::StatusOr<v1::SubmitResponse> SubmitSurely(
    FleetClient& client, const v1::SubmitRequest& request) {
  absl::StatusOr<v1::SubmitResponse> response = client.Submit(request);
  for (int i = 1; i < kSubmitTries && absl::IsUnavailable(response.status());
       ++i) {
    if (!client.AwaitConnection()) break;
    response = client.Submit(request);
  }
  return response;
}

std::string RunSource() {
  const char* ci = getenv("KTSTR_CI");
  return ci != nullptr && *ci != '\0' ? "ci" : "local";
}

// One `ktstrctl submit`. Members are in the order of their making; destruction
// is the reverse.
class Session {
 public:
  // `parts` is null for what submit itself does.
  Session(const SubmitOptions& options, const SubmitParts* parts,
          Cancellation& cancellation)
      : options_(options),
        parts_(parts),
        cancellation_(cancellation),
        out_(options.is_json ? stderr : stdout),
        terminal_(Terminal::Of(fileno(out_))),
        progress_({.out = out_,
                   .terminal = terminal_,
                   .is_quiet = options.is_quiet}) {}

  ~Session() {
    cancellation_.SetFollower(nullptr);
    follower_.reset();
    // Stop() is interruptible by a second Ctrl-C, the destructor is not.
    if (fleet_ != nullptr) fleet_->Stop();
    cancellation_.SetFleet(nullptr);
  }

  int Run() {
    started_ = RealClock().Monotonic();
    absl::StatusOr<Submission> submission =
        parts_ != nullptr ? parts_->prepare() : PrepareSubmission(options_);
    if (!submission.ok()) return Refuse(submission.status(), kExitUsage);
    if (absl::Status status = Connect(); !status.ok()) {
      return Refuse(status,
                    options_.coordinator.empty() ? kExitMissed : kExitUsage);
    }
    if (absl::Status status = Send(*submission); !status.ok()) {
      bool is_bad_input =
          absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status);
      return Refuse(status, is_bad_input ? kExitUsage : kExitMissed);
    }
    if (absl::Status status = Follow(); !status.ok()) {
      return Refuse(status, kExitMissed);
    }
    absl::Status written = Present();
    int code = ExitCode();
    if (!written.ok()) {
      Refuse(written, code);
      return code == kExitPassed ? kExitMissed : code;
    }
    return code;
  }

 private:
  int Refuse(const absl::Status& status, int code) {
    progress_.Clear();
    return Complain(status, code);
  }

  absl::Status Connect() {
    std::string address = options_.coordinator;
    if (address.empty()) {
      progress_.Stage("starting a fleet of this machine");
      ABSL_ASSIGN_OR_RETURN(fleet_, EmbeddedFleet::Start([this](auto* fleet) {
                              cancellation_.SetFleet(fleet);
                            }));
      address = fleet_->address();
    }
    ABSL_ASSIGN_OR_RETURN(client_, FleetClient::Connect(address));
    return CheckHosts(*client_, fleet_ != nullptr, progress_);
  }

  absl::Status Send(const Submission& submission) {
    ABSL_RETURN_IF_ERROR(
        submission.artifacts
            .UploadMissing(*client_,
                           [this](const Artifacts::Progress& sent) {
                             progress_.Stage(absl::StrFormat(
                                 "uploading: %d of %d MiB (%s)",
                                 sent.sent >> 20, sent.total >> 20, sent.name));
                           })
            .status());
    progress_.Stage("submitting");
    cancellation_.SetSubmitted();
    ABSL_ASSIGN_OR_RETURN(v1::SubmitResponse response,
                          SubmitSurely(*client_, *submission.request));
    run_id_ = response.run_id();
    if (response.variants() == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("no variant is left to run", FirstExclusion(response)));
    }
    progress_.SetTotal(response.variants());
    progress_.Stage("");
    progress_.Note(absl::StrFormat("run %s: %d variants, %d left out", run_id_,
                                   response.variants(),
                                   response.excluded_size()));
    NoteExclusions(response);
    ABSL_ASSIGN_OR_RETURN(
        results::ResultDirectory results,
        results::ResultDirectory::Create(
            options_.output_dir,
            {.run_id = run_id_,
             .project_commit = submission.request->project_commit(),
             .run_source = RunSource()},
            &RealClock()));
    results_.emplace(std::move(results));
    return absl::OkStatus();
  }

  // The first ones: what does not run says why.
  void NoteExclusions(const v1::SubmitResponse& response) {
    int shown = 0;
    for (const v1::Exclusion& exclusion : response.excluded()) {
      if (++shown > kShownExclusions) {
        progress_.Note(absl::StrCat(
            "left out, too: ", response.excluded_size() - kShownExclusions,
            " more"));
        return;
      }
      progress_.Note(absl::StrCat("left out ", exclusion.variant(), ": ",
                                  exclusion.reason()));
    }
  }

  static std::string FirstExclusion(const v1::SubmitResponse& response) {
    if (response.excluded().empty()) return "";
    return absl::StrCat(": ", response.excluded(0).variant(), ": ",
                        response.excluded(0).reason());
  }

  absl::Status Follow() {
    ABSL_ASSIGN_OR_RETURN(follower_,
                          RunFollower::Create({.client = client_.get(),
                                               .fleet = fleet_.get(),
                                               .progress = &progress_,
                                               .results = &*results_,
                                               .clock = &RealClock()},
                                              run_id_));
    cancellation_.SetFollower(follower_.get());
    return follower_->Follow();
  }

  // Reports, table, totals, files.
  absl::Status Present() {
    progress_.Clear();
    if (fleet_ != nullptr) fleet_->SaveLogs(results_->path());
    v1::Run run = follower_->run();
    *run.mutable_counts() = follower_->Counts();
    absl::Status summary = results_->WriteSummary(run);
    std::vector<const v1::Variant*> variants = follower_->variants();
    if (parts_ != nullptr) {
      std::string text =
          parts_->show({.variants = variants,
                        .result_directory = results_->path(),
                        .exit_code = ExitCode(),
                        .is_terminal = isatty(STDOUT_FILENO) == 1});
      fwrite(text.data(), 1, text.size(), stdout);
      fflush(stdout);
      return summary;
    }
    PrintReports(variants);
    if (options_.is_json) {
      std::string text =
          RunSummaryJson(run, variants, results_->path(), ExitCode());
      fwrite(text.data(), 1, text.size(), stdout);
      fflush(stdout);
    }
    if (!options_.junit_path.empty()) {
      ABSL_RETURN_IF_ERROR(WriteFileAtomically(
          options_.junit_path,
          results::JunitXml(run, variants, LeniencyOf(variants))));
    }
    return summary;
  }

  void PrintReports(const std::vector<const v1::Variant*>& variants) {
    for (const v1::Variant* variant : variants) {
      if (!results::NeedsReport(*variant)) continue;
      Print(results::VariantReport(*variant,
                                   {.has_colour = terminal_.has_colour}));
      Print("\n");
    }
    Print(
        results::VariantTable(variants, terminal_.width, terminal_.has_colour));
    for (const std::string& warning : results::BudgetWarnings(variants)) {
      Print(absl::StrCat(warning, "\n"));
    }
    for (const std::string& note : LeniencyOf(variants).Notes()) {
      Print(absl::StrCat(note, "\n"));
    }
    double seconds = absl::ToDoubleSeconds(RealClock().Monotonic() - started_);
    Print(absl::StrCat(results::TotalsLine(follower_->Counts(), seconds),
                       "\nresults: ", results_->path(), "\n"));
  }

  void Print(const std::string& text) {
    fwrite(text.data(), 1, text.size(), out_);
    fflush(out_);
  }

  static results::Leniency LeniencyOf(
      const std::vector<const v1::Variant*>& variants) {
    return results::Leniency(variants, RealClock().Now());
  }

  int ExitCode() const {
    v1::RunCounts counts = follower_->Counts();
    const std::vector<const v1::Variant*> variants = follower_->variants();
    const results::Leniency leniency = LeniencyOf(variants);
    if (follower_->was_cancelled()) return kExitCancelled;
    if (leniency.failures() > 0) return kExitFailed;
    if (counts.cancelled() > 0) return kExitCancelled;
    bool is_whole = follower_->trouble().empty() &&
                    counts.passed() + counts.skipped() + leniency.forgiven() ==
                        counts.total();
    return is_whole ? kExitPassed : kExitMissed;
  }

  const SubmitOptions& options_;
  const SubmitParts* const parts_;
  Cancellation& cancellation_;
  FILE* const out_;
  const Terminal terminal_;
  Progress progress_;
  absl::Duration started_;
  std::unique_ptr<EmbeddedFleet> fleet_;
  std::unique_ptr<FleetClient> client_;
  std::string run_id_;
  std::optional<results::ResultDirectory> results_;
  std::unique_ptr<RunFollower> follower_;
};

int RunSession(const SubmitOptions& options, const SubmitParts* parts) {
  BlockInterrupts();
  Cancellation cancellation;
  absl::StatusOr<std::unique_ptr<Interrupts>> interrupts = Interrupts::Start(
      [&cancellation](int count) { cancellation.OnSignal(count); });
  if (!interrupts.ok()) return Complain(interrupts.status(), kExitMissed);
  Session session(options, parts, cancellation);
  return session.Run();
}

}  // namespace

int RunSubmit(const SubmitOptions& options) {
  return RunSession(options, nullptr);
}

int RunSubmit(const SubmitOptions& options, const SubmitParts& parts) {
  return RunSession(options, &parts);
}

}  // namespace ktstr::ktstrctl
