// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/handlers/fleet.h"

#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "coordinator/testing/fleet_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

auto IsInvalid(const std::string& text) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
}

class FleetTest : public ::testing::Test {
 protected:
  v1::TestDescription& Test(v1::SubmitRequest& request, int index) {
    return *request.mutable_suites(0)->mutable_description()->mutable_tests(
        index);
  }

  FleetFixture fixture_;
};

TEST_F(FleetTest, SubmitExpandsAndExplainsExclusions) {
  v1::SubmitRequest request = fixture_.Request(2);
  request.add_presets("tiny-1llc");
  request.add_presets("odd-3llc");
  Test(request, 1).mutable_constraints()->set_max_llcs(2);
  ASSERT_OK_AND_ASSIGN(v1::SubmitResponse response, fixture_.Submit(request));
  EXPECT_EQ(response.variants(), 3);
  ASSERT_THAT(response.excluded(), SizeIs(1));
  EXPECT_EQ(response.excluded(0).variant(), "gauntlet/t1/odd-3llc");
  EXPECT_EQ(response.excluded(0).reason(), "3 LLCs, test allows at most 2");
  v1::GetRunResponse run = fixture_.GetRun(response.run_id());
  EXPECT_EQ(run.run().counts().pending(), 3);
  EXPECT_THAT(run.run().excluded(), SizeIs(1));
  EXPECT_NE(run.run().seed(), 0);
  EXPECT_EQ(run.variants(2).index(), 2);
  EXPECT_EQ(run.variants(2).spec().name(), "gauntlet/t1/tiny-1llc/default");
  EXPECT_EQ(run.variants(2).spec().kernel().label(), "k");
  EXPECT_NE(run.variants(2).spec().seed(), run.variants(0).spec().seed());
}

TEST_F(FleetTest, RepeatedRequestAnswersWithTheSameRun) {
  v1::SubmitRequest request = fixture_.Request(1);
  ASSERT_OK_AND_ASSIGN(v1::SubmitResponse first, fixture_.Submit(request));
  ASSERT_OK_AND_ASSIGN(v1::SubmitResponse second, fixture_.Submit(request));
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  fixture_.Restart();
  ASSERT_OK_AND_ASSIGN(v1::SubmitResponse third, fixture_.Submit(request));
  EXPECT_EQ(first.SerializeAsString(), third.SerializeAsString());
}

TEST_F(FleetTest, ConcurrentRepeatsMakeOneRun) {
  const v1::SubmitRequest request = fixture_.Request(1);
  std::vector<std::string> ids(8);
  {
    std::vector<Thread> threads;
    for (std::string& id : ids) {
      threads.emplace_back("submit",
                           [&] { id = fixture_.MustSubmit(request); });
    }
  }
  EXPECT_THAT(ids, ::testing::Each(ids[0]));
}

TEST_F(FleetTest, GivenSeedIsKept) {
  v1::SubmitRequest request = fixture_.Request(1);
  request.set_seed(0xffffffffffffffff);
  const std::string run = fixture_.MustSubmit(request);
  fixture_.Restart();
  EXPECT_EQ(fixture_.GetRun(run).run().seed(), 0xffffffffffffffff);
}

TEST_F(FleetTest, SchedulerGetsItsProfilesArguments) {
  v1::SubmitRequest request = fixture_.Request(1);
  v1::SchedulerDescription& declared = *Test(request, 0).mutable_scheduler();
  declared.set_name("mine");
  declared.set_binary("scx_mine");
  declared.add_args("--always");
  v1::SchedulerFlag& flag = *declared.add_flags();
  flag.set_name("llc");
  flag.add_args("--llc mode");
  EXPECT_THAT(fixture_.Submit(request), IsInvalid("scheduler mine"));
  request.add_presets("tiny-1llc");
  v1::SchedulerSpec& spec = *request.add_schedulers();
  spec.set_name("mine");
  *spec.mutable_binary() = fixture_.Artifact("scx_mine", "program");
  v1::GetRunResponse run = fixture_.GetRun(fixture_.MustSubmit(request));
  ASSERT_THAT(run.variants(), SizeIs(2));
  EXPECT_THAT(run.variants(1).spec().scheduler().args(),
              ::testing::ElementsAre("--always", "--llc mode"));
  EXPECT_EQ(run.variants(1).spec().profile(), "llc");
}

// A test that declares scheduler "mine" with all that one can ask for.
v1::SchedulerDescription& DeclareMine(v1::TestDescription& test) {
  v1::SchedulerDescription& declared = *test.mutable_scheduler();
  declared.set_name("mine");
  declared.set_binary("scx_mine");
  declared.add_args("a \"b\"\nc");
  declared.add_flags()->set_name("llc");
  declared.mutable_flags(0)->add_args("--llc mode");
  declared.set_config_file("conf/layers.json");
  declared.mutable_setup()->set_cgroup_parent("/cells");
  declared.mutable_setup()->add_kargs("preempt=full");
  v1::Sysctl& sysctl = *declared.mutable_setup()->add_sysctls();
  sysctl.set_key("kernel.sched_schedstats");
  sysctl.set_value("1");
  test.add_extra_scheduler_args("--extra one");
  test.add_required_flags("llc");
  return declared;
}

TEST_F(FleetTest, DeclaredSchedulerArrivesAsDeclared) {
  v1::SubmitRequest request = fixture_.Request(2);
  DeclareMine(Test(request, 0));
  v1::ConfigFile& config = *request.mutable_suites(0)->add_config_files();
  config.set_declared_path("conf/layers.json");
  *config.mutable_content() = fixture_.Artifact("layers.json", "{}");
  v1::SchedulerSpec& spec = *request.add_declared_schedulers();
  spec.set_name("mine");
  spec.add_args("--submitted");
  *spec.mutable_binary() = fixture_.Artifact("scx_mine", "program");
  v1::GetRunResponse run = fixture_.GetRun(fixture_.MustSubmit(request));
  ASSERT_THAT(run.variants(), SizeIs(2));
  const v1::SchedulerSpec& mine = run.variants(0).spec().scheduler();
  EXPECT_THAT(mine.args(), ::testing::ElementsAre(
                               "--config", "/include-files/layers.json",
                               "--cell-parent-cgroup", "/cells", "a \"b\"\nc",
                               "--extra one", "--submitted", "--llc mode"));
  EXPECT_EQ(mine.binary().name(), "scx_mine");
  EXPECT_EQ(mine.setup().kargs(0), "preempt=full");
  EXPECT_EQ(mine.setup().sysctls(0).key(), "kernel.sched_schedstats");
  ASSERT_THAT(mine.config_files(), SizeIs(1));
  EXPECT_EQ(mine.config_files(0).guest_path(), "/include-files/layers.json");
  EXPECT_EQ(mine.config_files(0).content().sha256(), config.content().sha256());
  // A test that declares none does not run on it.
  EXPECT_EQ(run.variants(1).spec().scheduler().name(), "default");
  EXPECT_FALSE(run.variants(1).spec().scheduler().has_setup());
}

TEST_F(FleetTest, SchedulerInsideTheKernelHasASetUpAndNoProgram) {
  v1::SubmitRequest request = fixture_.Request(1);
  v1::SchedulerDescription& declared = *Test(request, 0).mutable_scheduler();
  declared.set_name("no-hrtick");
  v1::FileWrite& write = *declared.mutable_setup()->add_enable();
  write.set_path("/sys/kernel/debug/sched/features");
  write.set_value("NO_HRTICK");
  v1::GetRunResponse run = fixture_.GetRun(fixture_.MustSubmit(request));
  const v1::SchedulerSpec& scheduler = run.variants(0).spec().scheduler();
  EXPECT_EQ(scheduler.name(), "no-hrtick");
  EXPECT_FALSE(scheduler.has_binary());
  EXPECT_EQ(scheduler.setup().enable(0).value(), "NO_HRTICK");
}

// The rules of the author's library hold for submissions made by hand, too.
TEST_F(FleetTest, DeclarationsThatBreakTheRulesAreRefused) {
  auto refused = [&](auto change, const std::string& text) {
    v1::SubmitRequest request = fixture_.Request(1);
    v1::SchedulerDescription& declared = DeclareMine(Test(request, 0));
    declared.clear_config_file();
    change(declared);
    EXPECT_THAT(fixture_.Submit(request), IsInvalid(text));
  };
  refused([](auto& d) { d.mutable_setup()->add_kargs("nokaslr"); },
          "karg \"nokaslr\" is reserved");
  refused([](auto& d) { d.mutable_setup()->add_kargs("a b"); }, "white space");
  refused([](auto& d) { d.mutable_setup()->add_sysctls()->set_key("x"); },
          "no dot");
  refused([](auto& d) { d.mutable_setup()->set_cgroup_parent("/a/../b"); },
          "cgroup_parent");
  refused([](auto& d) { d.mutable_setup()->add_enable()->set_path("/etc/x"); },
          "not below /proc or /sys");
  refused([](auto& d) { d.set_config_file("conf/layers.json"); },
          "not among the files of the submission");
  refused(
      [](auto& d) {
        d.mutable_setup()->mutable_watchdog_timeout()->set_seconds(31);
      },
      "watchdog_timeout \"31s\" is not 100 ms to 30 s long");
  refused([](auto& d) { d.set_name("a b"); }, "white space");
  refused([](auto& d) { d.add_args(std::string(20000, 'a')); },
          "argument of 20000 bytes");
  refused([](auto&) {}, "whose program the submission does not bring");
  v1::SubmitRequest request = fixture_.Request(1);
  DeclareMine(Test(request, 0)).clear_config_file();
  v1::MissingScheduler& missing = *request.add_missing_schedulers();
  missing.set_name("mine");
  missing.set_reason("scx_mine is not in out/");
  EXPECT_THAT(fixture_.Submit(request), IsInvalid("scx_mine is not in out/"));
}

TEST_F(FleetTest, MissingArtifactIsNamed) {
  v1::SubmitRequest request = fixture_.Request(1);
  v1::ArtifactRef& binary = *request.mutable_suites(0)->mutable_binary();
  binary.set_sha256(Sha256Hex("never uploaded"));
  EXPECT_THAT(
      fixture_.Submit(request),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("\"suite\""), HasSubstr(binary.sha256()))));
}

TEST_F(FleetTest, SchedExtSchedulerNeedsASchedExtKernel) {
  v1::SubmitRequest request = fixture_.Request(1);
  v1::SchedulerSpec& scheduler = *request.add_schedulers();
  scheduler.set_name("scx_simple");
  *scheduler.mutable_binary() = fixture_.Artifact("scx_simple", "program");
  request.mutable_kernels(0)->set_has_sched_ext(false);
  EXPECT_THAT(fixture_.Submit(request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("CONFIG_SCHED_CLASS_EXT"),
                             HasSubstr("scx_simple"), HasSubstr("kernel k"))));
}

TEST_F(FleetTest, BadRequestsAreRefusedByName) {
  const v1::SubmitRequest good = fixture_.Request(1);
  auto refused = [&](auto change, const std::string& text) {
    v1::SubmitRequest request = good;
    change(request);
    EXPECT_THAT(fixture_.Submit(request), IsInvalid(text));
  };
  refused([](auto& r) { r.clear_request_id(); }, "request_id");
  refused([](auto& r) { r.set_request_id(std::string(65, 'x')); },
          "request_id");
  refused([](auto& r) { r.clear_suites(); }, "suite");
  refused([](auto& r) { r.clear_kernels(); }, "kernel");
  refused([](auto& r) { r.add_presets("tiny"); }, "tiny-1llc");
  refused([](auto& r) { r.add_filters("nope*"); }, "nope*");
  refused([](auto& r) { r.set_max_attempts(101); }, "max_attempts");
  refused([](auto& r) { r.set_work_type("Dreaming"); }, "\"Dreaming\"");
  refused([](auto& r) { r.mutable_kernels(0)->set_label("a/b"); }, "a/b");
  refused([](auto& r) { r.mutable_kernels(0)->clear_image(); }, "kernel k");
  refused([](auto& r) { *r.add_kernels() = r.kernels(0); }, "given twice");
  refused([](auto& r) { r.add_schedulers(); }, "scheduler name");
  refused(
      [](auto& r) {
        r.mutable_suites(0)->mutable_description()->set_arch("aarch64");
      },
      "x86_64");
  refused(
      [](auto& r) {
        r.mutable_suites(0)->mutable_description()->set_format_version(2);
      },
      "format");
  refused([this](auto& r) { Test(r, 0).set_topology("4 cpus"); }, "4 cpus");
  refused([this](auto& r) { Test(r, 0).clear_duration(); }, "duration");
  refused([this](auto& r) { Test(r, 0).set_workers_per_cgroup(0); },
          "workers_per_cgroup");
  refused([this](auto& r) { Test(r, 0).set_memory_mib(-1); }, "memory_mib");
  refused([this](auto& r) { Test(r, 0).add_required_flags("x"); }, "\"x\"");
  for (const char* path :
       {"lib/a.so", "/a/../b", "/ktstr/suite", "/a//b", ""}) {
    refused(
        [&](auto& r) {
          v1::GuestFile& file = *r.mutable_suites(0)->add_libraries();
          *file.mutable_content() = r.suites(0).binary();
          file.set_guest_path(path);
        },
        "guest path");
  }
}

TEST_F(FleetTest, MapWritesArriveOrAreRefusedByName) {
  v1::SubmitRequest request = fixture_.Request(2);
  v1::BpfMapWrite& write = *Test(request, 1).add_bpf_map_writes();
  EXPECT_THAT(fixture_.Submit(request), IsInvalid("\"\" is empty"));
  write.set_map_suffix("a\nb");
  EXPECT_THAT(fixture_.Submit(request), IsInvalid("\"a\\nb\" has characters"));
  write.set_map_suffix(".bss");
  write.set_offset(6);
  EXPECT_THAT(fixture_.Submit(request), IsInvalid("offset 6 is no multiple"));
  write.set_offset(8);
  write.set_value(5);
  for (int i = 0; i < 16; ++i) *Test(request, 1).add_bpf_map_writes() = write;
  EXPECT_THAT(fixture_.Submit(request), IsInvalid("17 bpf_map_writes"));
  Test(request, 1).mutable_bpf_map_writes()->RemoveLast();
  v1::GetRunResponse run = fixture_.GetRun(fixture_.MustSubmit(request));
  EXPECT_THAT(run.variants(0).spec().bpf_map_writes(), SizeIs(0));
  ASSERT_THAT(run.variants(1).spec().bpf_map_writes(), SizeIs(16));
  EXPECT_EQ(run.variants(1).spec().bpf_map_writes(0).map_suffix(), ".bss");
  EXPECT_EQ(run.variants(1).spec().bpf_map_writes(0).offset(), 8u);
  EXPECT_EQ(run.variants(1).spec().bpf_map_writes(0).value(), 5u);
}

TEST_F(FleetTest, TestsBringTheirFilesAlong) {
  v1::SubmitRequest request = fixture_.Request(2);
  auto* payload = Test(request, 1).add_payloads();
  payload->set_name("bench");
  payload->set_binary("bench");
  // What is not part of the submission, or not to be had, ends it.
  EXPECT_THAT(fixture_.Submit(request),
              IsInvalid("programs and files that it brings along"));
  v1::TestFiles& files = *request.mutable_suites(0)->add_test_files();
  files.set_test(Test(request, 1).name());
  files.set_missing("test t, payload bench: bench is nowhere");
  EXPECT_THAT(fixture_.Submit(request),
              IsInvalid("payload bench: bench is nowhere"));
  files.clear_missing();
  v1::GuestFile& file = *files.add_files();
  *file.mutable_content() = request.suites(0).binary();
  file.set_guest_path("/ktstr/suite");
  EXPECT_THAT(fixture_.Submit(request), IsInvalid("guest path"));
  file.set_guest_path("/include-files/bench");
  file.set_is_executable(true);
  const std::string run = fixture_.MustSubmit(request);
  const v1::GetRunResponse response = fixture_.GetRun(run);
  EXPECT_THAT(response.variants(0).spec().include_files(), SizeIs(0));
  ASSERT_THAT(response.variants(1).spec().include_files(), SizeIs(1));
  EXPECT_EQ(response.variants(1).spec().include_files(0).guest_path(),
            "/include-files/bench");
}

TEST_F(FleetTest, UnknownRunIsNotFound) {
  EXPECT_THAT(fixture_.Cancel("r"), StatusIs(absl::StatusCode::kNotFound));
  grpc::ClientContext context;
  v1::GetRunRequest request;
  v1::GetRunResponse response;
  EXPECT_EQ(fixture_.fleet->GetRun(&context, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(FleetTest, CancellingAFinishedRunDoesNothing) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h", 4);
  host.Finish(host.Leases().at(0).key(), v1::PASS);
  ASSERT_OK(host.Call());
  ASSERT_OK(fixture_.Cancel(run));
  EXPECT_FALSE(fixture_.GetRun(run).run().is_cancelled());
}

TEST_F(FleetTest, WatchShowsEveryVariantThenChangesThenEnds) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(10));
  grpc::ClientContext context;
  v1::WatchRunRequest request;
  request.set_run_id(run);
  auto stream = fixture_.fleet->WatchRun(&context, request);
  std::vector<v1::VariantState> states(10, v1::VARIANT_STATE_UNSPECIFIED);
  v1::WatchRunResponse update;
  int seen = 0;
  while (seen < 10 && stream->Read(&update)) {
    for (const v1::Variant& variant : update.changed()) {
      EXPECT_EQ(variant.state(), v1::PENDING);
      EXPECT_FALSE(variant.spec().name().empty());
      ++seen;
    }
  }
  ScriptedHost host(&fixture_, "h", 64);
  for (const v1::Attempt& lease : host.Leases()) {
    host.Finish(lease.key(), v1::PASS);
  }
  ASSERT_OK(host.Call());
  bool is_finished = false;
  int64_t version = 0;
  while (stream->Read(&update)) {
    EXPECT_GE(update.version(), version);
    version = update.version();
    is_finished = update.run().is_finished();
    for (const v1::Variant& variant : update.changed()) {
      states[variant.index()] = variant.state();
    }
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(is_finished);
  EXPECT_THAT(states, ::testing::Each(v1::DONE));
}

TEST_F(FleetTest, WatchResumesAfterAVersionAndAcrossARestart) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(2));
  auto first_update = [&](int64_t after) {
    grpc::ClientContext context;
    v1::WatchRunRequest request;
    request.set_run_id(run);
    request.set_after_version(after);
    auto stream = fixture_.fleet->WatchRun(&context, request);
    v1::WatchRunResponse update;
    EXPECT_TRUE(stream->Read(&update));
    context.TryCancel();
    return update;
  };
  v1::WatchRunResponse whole = first_update(0);
  EXPECT_THAT(whole.changed(), SizeIs(2));
  EXPECT_THAT(first_update(whole.version()).changed(), SizeIs(0));
  ScriptedHost host(&fixture_, "h", 2);
  ASSERT_THAT(host.Leases(), SizeIs(1));
  v1::WatchRunResponse next = first_update(whole.version());
  ASSERT_THAT(next.changed(), SizeIs(1));
  EXPECT_EQ(next.changed(0).state(), v1::LEASED);
  fixture_.clock.Advance(absl::Seconds(1));
  fixture_.Restart();
  EXPECT_THAT(first_update(next.version()).changed(), SizeIs(2));
}

}  // namespace
}  // namespace ktstr::coordinator
