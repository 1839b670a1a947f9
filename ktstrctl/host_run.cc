// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/host_run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/length_frames.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "gauntlet/profiles.h"
#include "ktstrctl/work_type_option.h"
#include "proto/test_frame.pb.h"

namespace ktstr::ktstrctl {
namespace {

constexpr int kChildFramesFd = 3;
constexpr uint32_t kMaxFrameBytes = 1 << 20;
// What a suite's process answers when the machine does not do its part
// (ktstr/internal/suite_program.h).
constexpr int kExitMiss = 3;
constexpr absl::Duration kSlack = absl::Minutes(2);
constexpr absl::Duration kCleanUpTimeout = absl::Minutes(1);

// About cgroups without the cpu controller.
constexpr char kNoCtrl[] = "no-ctrl";

// The flags scenarios are about, in canonical order.
const std::vector<gauntlet::Flag>& CatalogFlags() {
  static const auto* const flags = new std::vector<gauntlet::Flag>{
      {.name = "llc"},
      {.name = "borrow"},
      {.name = "steal", .args = {}, .requires_flags = {"llc"}},
      {.name = "rebal"},
      {.name = "reject-pin"},
      {.name = kNoCtrl}};
  return *flags;
}

std::vector<std::string> Words(
    const google::protobuf::RepeatedPtrField<std::string>& words) {
  return {words.begin(), words.end()};
}

std::string MismatchOf(const gauntlet::Profile& active,
                       const gauntlet::FlagChoice& choice) {
  auto has = [&](const std::string& flag) {
    return std::find(active.flags.begin(), active.flags.end(), flag) !=
           active.flags.end();
  };
  for (const std::string& flag : choice.required) {
    if (!has(flag)) return absl::StrCat("is about the flag ", flag);
  }
  for (const std::string& flag : choice.excluded) {
    if (has(flag)) return absl::StrCat("makes no sense with the flag ", flag);
  }
  return "";
}

absl::StatusOr<std::vector<gauntlet::Profile>> ProfilesOf(
    const gauntlet::FlagChoice& choice, bool has_all) {
  if (!has_all) {
    ABSL_ASSIGN_OR_RETURN(gauntlet::Profile base,
                          gauntlet::BaseProfile(CatalogFlags(), choice));
    return std::vector<gauntlet::Profile>{std::move(base)};
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<gauntlet::Profile> all,
                        gauntlet::AllProfiles(CatalogFlags(), choice));
  std::sort(all.begin(), all.end(),
            [](const gauntlet::Profile& a, const gauntlet::Profile& b) {
              return a.name < b.name;
            });
  return all;
}

// One run of a scenario's process, from its start to its last frame.
class ScenarioProcess {
 public:
  ScenarioProcess(const HostRunOptions& options, const HostVariant& variant,
                  v1::AttemptResult& result)
      : options_(options), variant_(variant), result_(result) {}

  absl::Status Run(const std::string& program, int interrupt_fd) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
    UniqueFd reader(fds[0]);
    UniqueFd writer(fds[1]);
    CommandSpec spec{.argv = {program, "--ktstr-run", variant_.scenario.name()},
                     .extra_env = Environment(),
                     .inherited_fds = {{writer.get(), kChildFramesFd},
                                       {STDERR_FILENO, STDOUT_FILENO}}};
    ABSL_ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start(spec));
    writer.Reset();
    const absl::Duration deadline =
        RealClock().Monotonic() + 2 * options_.duration + kSlack;
    End end = ReadFrames(reader.get(), interrupt_fd, deadline);
    if (end != End::kClosed) process.Kill(SIGKILL).IgnoreError();
    ABSL_ASSIGN_OR_RETURN(ExitStatus exit, process.Wait());
    Conclude(end, exit);
    return absl::OkStatus();
  }

 private:
  enum class End { kClosed, kInterrupted, kTooLate, kNonsense };

  std::vector<std::string> Environment() const {
    std::vector<std::string> entries = {
        absl::StrCat("KTSTR_FRAMES_FD=", kChildFramesFd),
        absl::StrCat("KTSTR_DURATION_MS=",
                     absl::ToInt64Milliseconds(options_.duration)),
        absl::StrCat("KTSTR_WORKERS=", options_.workers),
        absl::StrCat("KTSTR_SEED=", options_.seed)};
    if (!options_.work_type.empty()) {
      entries.push_back(absl::StrCat("KTSTR_WORK_TYPE=", options_.work_type));
    }
    if (options_.is_overcommitted) entries.push_back("KTSTR_OVERCOMMITTED=1");
    if (std::find(variant_.flags.begin(), variant_.flags.end(), kNoCtrl) ==
        variant_.flags.end()) {
      entries.push_back("KTSTR_CPU_CONTROLLER=1");
    }
    return entries;
  }

  End ReadFrames(int fd, int interrupt_fd, absl::Duration deadline) {
    LengthFrameReader reader(kMaxFrameBytes);
    std::string piece(64 << 10, '\0');
    for (;;) {
      pollfd waits[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                        {.fd = interrupt_fd, .events = POLLIN, .revents = 0}};
      absl::Duration left = deadline - RealClock().Monotonic();
      if (left <= absl::ZeroDuration()) return End::kTooLate;
      timespec limit = absl::ToTimespec(left);
      if (ppoll(waits, 2, &limit, nullptr) < 0) continue;
      if (waits[1].revents != 0) return End::kInterrupted;
      if (waits[0].revents == 0) continue;
      ssize_t count = read(fd, piece.data(), piece.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return End::kClosed;
      reader.Append(absl::string_view(piece.data(), count));
      if (!Take(reader)) return End::kNonsense;
    }
  }

  bool Take(LengthFrameReader& reader) {
    for (;;) {
      absl::StatusOr<absl::optional<std::string>> bytes = reader.Next();
      if (!bytes.ok()) return false;
      if (!bytes->has_value()) return true;
      v1::TestFrame frame;
      if (!frame.ParseFromString(**bytes)) return false;
      if (frame.has_stimulus()) *result_.add_stimuli() = frame.stimulus();
      if (frame.has_verdict()) {
        verdict_ = frame.verdict();
        has_verdict_ = true;
      }
    }
  }

  void Conclude(End end, const ExitStatus& exit) {
    auto be = [this](v1::Outcome outcome, std::string reason) {
      result_.set_outcome(outcome);
      result_.set_reason(std::move(reason));
    };
    if (end == End::kInterrupted) {
      return be(v1::CANCELLED, "interrupted");
    }
    if (end == End::kTooLate) {
      return be(v1::ERROR, "the scenario did not end in time and was killed");
    }
    if (end == End::kNonsense) {
      return be(v1::ERROR, "the scenario's process wrote damaged frames");
    }
    if (!has_verdict_) {
      return be(exit.code == kExitMiss ? v1::MISS : v1::ERROR,
                absl::StrCat("the scenario's process gave no verdict: ",
                             exit.ToString()));
    }
    *result_.mutable_findings() = verdict_.findings();
    *result_.mutable_groups() = verdict_.groups();
    if (verdict_.skipped()) return be(v1::SKIP, verdict_.skip_reason());
    if (verdict_.passed()) return be(v1::PASS, "");
    // A mistake of the scenario is no verdict on the scheduler.
    for (const v1::Finding& finding : verdict_.findings()) {
      if (finding.kind() == v1::TEST_BODY_ERROR) {
        return be(v1::ERROR, finding.message());
      }
    }
    be(v1::FAIL, verdict_.findings().empty() ? "the verdict is a failure"
                                             : verdict_.findings(0).message());
  }

  const HostRunOptions& options_;
  const HostVariant& variant_;
  v1::AttemptResult& result_;
  v1::Verdict verdict_;
  bool has_verdict_ = false;
};

}  // namespace

absl::StatusOr<std::vector<HostVariant>> PlanHostRun(
    const Catalog& catalog, const HostRunOptions& options) {
  ABSL_ASSIGN_OR_RETURN(
      std::vector<v1::TestDescription> scenarios,
      ChooseScenarios(catalog, options.category, options.scenarios));
  ABSL_RETURN_IF_ERROR(CheckWorkType(options.work_type, catalog.work_types));
  gauntlet::Profile active;
  if (options.has_flags) {
    ABSL_ASSIGN_OR_RETURN(
        active,
        gauntlet::BaseProfile(CatalogFlags(),
                              {.required = options.flags, .excluded = {}}));
  }
  std::vector<HostVariant> plan;
  for (const v1::TestDescription& scenario : scenarios) {
    const gauntlet::FlagChoice choice{
        .required = Words(scenario.scenario().required_flags()),
        .excluded = Words(scenario.scenario().excluded_flags())};
    if (options.has_flags) {
      plan.push_back({.scenario = scenario,
                      .profile = active.name,
                      .flags = active.flags,
                      .skip = MismatchOf(active, choice)});
      continue;
    }
    ABSL_ASSIGN_OR_RETURN(std::vector<gauntlet::Profile> profiles,
                          ProfilesOf(choice, options.has_all_profiles));
    for (const gauntlet::Profile& profile : profiles) {
      plan.push_back({.scenario = scenario,
                      .profile = profile.name,
                      .flags = profile.flags,
                      .skip = ""});
    }
  }
  return plan;
}

absl::Status CheckHost(const std::string& cgroup_root) {
  if (geteuid() != 0) {
    return absl::FailedPreconditionError(
        "scenarios on this machine need root: they make cgroups and move "
        "processes; run it with sudo");
  }
  struct statfs info {};
  if (statfs(cgroup_root.c_str(), &info) != 0 ||
      info.f_type != CGROUP2_SUPER_MAGIC) {
    return absl::FailedPreconditionError(absl::StrCat(
        "scenarios on this machine need cgroup v2 at ", cgroup_root,
        ", which is not mounted there; boot with "
        "systemd.unified_cgroup_hierarchy=1 or mount it"));
  }
  absl::StatusOr<std::string> controllers =
      ReadFile(JoinPath(cgroup_root, "cgroup.controllers"), 4096);
  if (controllers.ok()) {
    for (absl::string_view word :
         absl::StrSplit(absl::StripAsciiWhitespace(*controllers), ' ')) {
      if (word == "cpuset") return absl::OkStatus();
    }
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "scenarios on this machine need the cpuset controller, which is not in ",
      cgroup_root, "/cgroup.controllers: cgroup v1 may have it"));
}

v1::Variant RunOnHost(const std::string& program, const HostVariant& variant,
                      const HostRunOptions& options, int interrupt_fd) {
  v1::Variant done;
  v1::VariantSpec& spec = *done.mutable_spec();
  spec.set_name(absl::StrCat(variant.scenario.name(), "/", variant.profile));
  spec.set_test(variant.scenario.name());
  spec.set_profile(variant.profile);
  for (const std::string& flag : variant.flags) spec.add_flags(flag);
  spec.mutable_scheduler()->set_name("host");
  spec.set_workers_per_cgroup(options.workers);
  spec.set_work_type(options.work_type);
  spec.set_seed(options.seed);
  *spec.mutable_duration() = ToProtoDuration(options.duration);
  done.set_state(v1::DONE);
  v1::AttemptResult& result = *done.mutable_result();
  if (!variant.skip.empty()) {
    result.set_outcome(v1::SKIP);
    result.set_reason(variant.skip);
    return done;
  }
  *result.mutable_started_at() = ToProtoTime(RealClock().Now());
  const absl::Duration start = RealClock().Monotonic();
  ScenarioProcess process(options, variant, result);
  absl::Status status = process.Run(program, interrupt_fd);
  if (!status.ok()) {
    result.set_outcome(v1::MISS);
    result.set_reason(std::string(status.message()));
  }
  *result.mutable_wall_time() =
      ToProtoDuration(RealClock().Monotonic() - start);
  return done;
}

absl::StatusOr<std::string> CleanUpHost(const std::string& program) {
  ABSL_ASSIGN_OR_RETURN(
      CommandOutput output,
      RunCommand({.argv = {program, "--ktstr-cleanup"}}, kCleanUpTimeout));
  if (output.exit.ok()) return output.out;
  return absl::InternalError(
      absl::StrCat("cleaning up failed: ",
                   output.err.empty()
                       ? output.exit.ToString()
                       : std::string(absl::StripAsciiWhitespace(output.err))));
}

}  // namespace ktstr::ktstrctl
