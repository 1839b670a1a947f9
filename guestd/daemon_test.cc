// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "grpc/grpc.h"
#include "grpcpp/create_channel_posix.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "guestd/channel.h"
#include "proto/guest.grpc.pb.h"

namespace ktstr::guestd {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

UniqueFd BoundSocket(const std::string& path, int type) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = UnixAddress(path);
  unlink(path.c_str());  // of an earlier run of the scheduler
  EXPECT_EQ(
      bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
      0);
  return fd;
}

// Everything a session sent, sorted by kind.
struct Received {
  std::vector<v1::GuestEvent> events;
  std::vector<v1::Phase> phases;
  std::vector<v1::Finding> failures;
  std::vector<v1::Verdict> verdicts;
  std::vector<v1::SchedulerReport> reports;
  std::vector<v1::BpfPrograms> bpf_programs;
  std::vector<int> steps;
  v1::TestExit exit;
  std::string test_log;
  std::string scheduler_log;
  std::string dump;
  int heartbeats = 0;
  grpc::Status status;
};

void Sort(const v1::GuestEvent& event, Received& received) {
  received.events.push_back(event);
  switch (event.event_case()) {
    case v1::GuestEvent::kPhase:
      received.phases.push_back(event.phase());
      break;
    case v1::GuestEvent::kStimulus:
      received.steps.push_back(event.stimulus().step());
      break;
    case v1::GuestEvent::kTestLog:
      EXPECT_LE(event.test_log().size(), 64u << 10);
      received.test_log += event.test_log();
      break;
    case v1::GuestEvent::kSchedulerLog:
      received.scheduler_log += event.scheduler_log();
      break;
    case v1::GuestEvent::kSchedExtDump:
      received.dump += event.sched_ext_dump();
      break;
    case v1::GuestEvent::kVerdict:
      received.verdicts.push_back(event.verdict());
      break;
    case v1::GuestEvent::kTestExit:
      received.exit = event.test_exit();
      break;
    case v1::GuestEvent::kScheduler:
      received.reports.push_back(event.scheduler());
      break;
    case v1::GuestEvent::kBpfPrograms:
      received.bpf_programs.push_back(event.bpf_programs());
      break;
    case v1::GuestEvent::kFailure:
      received.failures.push_back(event.failure());
      break;
    case v1::GuestEvent::kHeartbeat:
      ++received.heartbeats;
      break;
    default:
      break;
  }
}

// The whole of guestd behind unix sockets, beside a directory that stands for
// the kernel's sysfs. The test is hostd.
class DaemonTest : public ::testing::Test {
 protected:
  // gRPC's own tear-down, at the end of its last object, may wait 10 s for the
  // poller of a blocked write; one reference more keeps it out of the tests.
  static void SetUpTestSuite() { grpc_init(); }

  DaemonTest() : dir_(*TempDir::Create("daemon_test")) {
    EXPECT_OK(MakeDirs(Path("sysfs")));
    EXPECT_OK(WriteFileAtomically(Path("sysfs/state"), "disabled\n"));
    // LeakSanitizer refuses to work in a traced process.
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    setenv("FAKE_SYSFS", Path("sysfs").c_str(), 1);
    setenv("FAKE_UEVENTS", Path("uevents").c_str(), 1);
    options_.session.sched_ext = {.dir = Path("sysfs"), .open_uevents = [this] {
                                    return BoundSocket(Path("uevents"),
                                                       SOCK_DGRAM);
                                  }};
    options_.session.sched_ext.open_messages = [this] {
      return BoundSocket(Path("uevents.kmsg"), SOCK_DGRAM);
    };
    options_.session.tracefs = MakeTracefs();
    options_.session.cgroup_root = Path("cgroup");
    options_.session.heartbeat_interval = absl::Milliseconds(20);
    options_.session.grace_without_scheduler = absl::Milliseconds(50);
  }

  ~DaemonTest() override { Stop(); }

  // The files of an instance of tracefs; its trace_pipe is a pipe.
  std::string MakeTracefs() {
    const std::string instance = Path("tracefs/instances/ktstr-guestd");
    const std::string event = instance + "/events/sched_ext/sched_ext_dump";
    EXPECT_OK(MakeDirs(instance + "/options"));
    EXPECT_OK(MakeDirs(event));
    for (const std::string& file :
         {event + "/enable", instance + "/options/overwrite",
          instance + "/options/context-info"}) {
      EXPECT_OK(WriteFileAtomically(file, "?"));
    }
    const std::string pipe = instance + "/trace_pipe";
    EXPECT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    // Also for reading, so that it never waits for somebody else.
    trace_pipe_.Reset(open(pipe.c_str(), O_RDWR | O_CLOEXEC));
    return Path("tracefs");
  }

  std::string Path(absl::string_view name) {
    return JoinPath(dir_.path(), name);
  }

  void Start() {
    Channel channel;
    channel.listener = BoundSocket(Path("guest"), SOCK_STREAM);
    ASSERT_EQ(listen(channel.listener.get(), 4), 0);
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    channel.host.Reset(fds[0]);
    host_.Reset(fds[1]);
    daemon_ = std::make_unique<Daemon>(options_, std::move(channel));
    thread_ = Thread("guestd", [this] { end_ = daemon_->Run(); });
    Connect();
  }

  void Connect() {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = UnixAddress(Path("guest"));
    ASSERT_EQ(
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    stub_ = v1::Guest::NewStub(grpc::CreateInsecureChannelFromFd("guest", fd));
  }

  DaemonEnd Stop() {
    host_.Reset();
    thread_.Join();
    return end_;
  }

  v1::RunTestRequest Request(const std::string& test) {
    v1::RunTestRequest request;
    request.set_test(test);
    request.set_suite_path(Here("guestd/testing/fake_suite"));
    request.set_topology("1n2l2c2t");
    *request.mutable_duration() = ToProtoDuration(absl::Milliseconds(1500));
    request.set_workers_per_cgroup(3);
    request.set_work_type("Mixed");
    request.set_seed(99);
    *request.mutable_test_timeout() = ToProtoDuration(absl::Seconds(30));
    return request;
  }

  v1::RunTestRequest RequestWithScheduler(const std::string& test,
                                          const std::string& mode) {
    v1::RunTestRequest request = Request(test);
    request.set_scheduler_path(Here("guestd/testing/fake_scheduler"));
    request.set_scheduler_name("fake");
    request.add_scheduler_args(Path("sysfs"));
    request.add_scheduler_args(Path("uevents"));
    request.add_scheduler_args(mode);
    *request.mutable_attach_timeout() = ToProtoDuration(absl::Seconds(20));
    *request.mutable_detach_timeout() = ToProtoDuration(absl::Seconds(20));
    return request;
  }

  Received Run(const v1::RunTestRequest& request) {
    Received received;
    grpc::ClientContext context;
    auto reader = stub_->RunTest(&context, request);
    v1::GuestEvent event;
    while (reader->Read(&event)) Sort(event, received);
    received.status = reader->Finish();
    if (received.status.ok()) {
      EXPECT_TRUE(received.events.back().finished());
    }
    return received;
  }

  // Runfiles lie below the working directory of a test.
  static std::string Here(const std::string& path) {
    char* cwd = getcwd(nullptr, 0);
    std::string absolute = JoinPath(cwd, path);
    free(cwd);
    return absolute;
  }

  TempDir dir_;
  UniqueFd trace_pipe_;
  DaemonOptions options_;
  UniqueFd host_;
  std::unique_ptr<Daemon> daemon_;
  DaemonEnd end_ = DaemonEnd::kServerFailed;
  std::unique_ptr<v1::Guest::Stub> stub_;
  Thread thread_;
};

TEST_F(DaemonTest, PassingTestWithoutScheduler) {
  Start();
  v1::RunTestRequest request = Request("passes");
  request.set_is_overcommitted(true);
  Received received = Run(request);
  ASSERT_TRUE(received.status.ok()) << received.status.error_message();
  EXPECT_THAT(received.phases,
              ElementsAre(v1::INIT, v1::WORKLOAD_STARTED, v1::WORKLOAD_ENDED));
  EXPECT_THAT(received.steps, ElementsAre(1, 2));
  ASSERT_EQ(received.verdicts.size(), 1u);
  EXPECT_TRUE(received.verdicts[0].passed());
  EXPECT_EQ(received.exit.exit_code(), 0);
  EXPECT_THAT(received.failures, IsEmpty());
  EXPECT_THAT(received.reports, IsEmpty());
  EXPECT_EQ(received.test_log,
            "KTSTR_TOPOLOGY=1n2l2c2t\nKTSTR_DURATION_MS=1500\n"
            "KTSTR_WORKERS=3\nKTSTR_WORK_TYPE=Mixed\nKTSTR_SEED=99\n"
            "KTSTR_OVERCOMMITTED=1\n"
            "KTSTR_SCHED_PID=(absent)\nKTSTR_CGROUP_ROOT=(absent)\n");
}

TEST_F(DaemonTest, PassingTestUnderAScheduler) {
  Start();
  Received received = Run(RequestWithScheduler("passes", "attach"));
  ASSERT_TRUE(received.status.ok()) << received.status.error_message();
  EXPECT_THAT(received.phases, ElementsAre(v1::INIT, v1::SCHEDULER_ATTACHED,
                                           v1::WORKLOAD_STARTED,
                                           v1::WORKLOAD_ENDED, v1::DETACHED));
  ASSERT_EQ(received.reports.size(), 1u);
  EXPECT_EQ(received.reports[0].attached_ops(), "fake");
  EXPECT_FALSE(received.reports[0].died());
  EXPECT_FALSE(received.reports[0].detached_early());
  EXPECT_EQ(received.reports[0].exit_code(), 0);
  EXPECT_EQ(received.reports[0].exit().kind(), v1::EXIT_UNREGISTERED_BY_USER);
  EXPECT_THAT(received.scheduler_log, HasSubstr("fake scheduler: attach"));
  EXPECT_THAT(received.test_log, Not(HasSubstr("SCHED_PID=(absent)")));
}

TEST_F(DaemonTest, TestDetachesAttachesAndReplacesItsScheduler) {
  Start();
  Received received = Run(RequestWithScheduler("changes-scheduler", "attach"));
  ASSERT_TRUE(received.status.ok()) << received.status.error_message();
  EXPECT_THAT(received.phases, ElementsAre(v1::INIT, v1::SCHEDULER_ATTACHED,
                                           v1::WORKLOAD_STARTED,
                                           v1::WORKLOAD_ENDED, v1::DETACHED));
  EXPECT_THAT(received.failures, IsEmpty());
  EXPECT_EQ(received.test_log,
            "code=3 pid=some the test asked for nothing known\n"
            "code=9 pid=some a scheduler is attached already\n"
            "code=0 pid=none \n"
            "code=9 pid=none no scheduler is attached\n"
            "code=0 pid=some \n"
            "code=0 pid=some \n"
            "code=10 pid=none scheduler fake ended before it attached (exit "
            "code 3); its last line: cannot load: no such program\n");
  ASSERT_EQ(received.reports.size(), 4u);
  for (int run = 0; run < 3; ++run) {
    EXPECT_EQ(received.reports[run].run(), run);
    EXPECT_TRUE(received.reports[run].ended_by_test());
    EXPECT_FALSE(received.reports[run].died());
    EXPECT_FALSE(received.reports[run].detached_early());
    EXPECT_EQ(received.reports[run].exit().kind(),
              v1::EXIT_UNREGISTERED_BY_USER);
    EXPECT_EQ(received.reports[run].args(2), "attach");
  }
  EXPECT_EQ(received.reports[3].args(2), "die");
  EXPECT_EQ(received.reports[3].exit_code(), 3);
}

TEST_F(DaemonTest, SchedulerThatEndedByItselfIsNotReplaced) {
  options_.session.grace_without_scheduler = absl::Seconds(20);
  Start();
  Received received = Run(RequestWithScheduler("asks-after-trouble", "unload"));
  ASSERT_TRUE(received.status.ok()) << received.status.error_message();
  EXPECT_EQ(received.test_log,
            "code=10 pid=some scheduler fake has ended by itself\n");
  EXPECT_TRUE(received.reports.back().detached_early());
  EXPECT_FALSE(received.reports.back().ended_by_test());
}

TEST_F(DaemonTest, WithoutAProgramThereIsNothingToAttach) {
  Start();
  Received received = Run(Request("changes-scheduler"));
  ASSERT_TRUE(received.status.ok()) << received.status.error_message();
  EXPECT_THAT(received.test_log,
              HasSubstr("code=9 pid=none the attempt has no scheduler that is "
                        "a program\n"));
  EXPECT_THAT(received.reports, IsEmpty());
}

TEST_F(DaemonTest, GuestIsSetUpBeforeTheSchedulerAndUndoneAfterIt) {
  options_.session.setup_roots = {.sysctls = Path("proc"),
                                  .cgroups = Path("cgroups"),
                                  .files = Path("files")};
  for (const char* file : {"proc/kernel/x", "cgroups/cgroup.subtree_control",
                           "files/sys/features"}) {
    ASSERT_OK(MakeDirs(std::string(Dirname(Path(file)))));
    ASSERT_OK(WriteFileAtomically(Path(file), ""));
  }
  Start();
  v1::RunTestRequest request = Request("passes");
  v1::SchedulerSetup& setup = *request.mutable_setup();
  v1::Sysctl& sysctl = *setup.add_sysctls();
  sysctl.set_key("kernel.x");
  sysctl.set_value("2");
  setup.set_cgroup_parent("/cells");
  v1::FileWrite& enable = *setup.add_enable();
  enable.set_path("/sys/features");
  enable.set_value("ON");
  v1::FileWrite& disable = *setup.add_disable();
  disable.set_path("/sys/features");
  disable.set_value("OFF");
  Received received = Run(request);
  ASSERT_TRUE(received.status.ok()) << received.status.error_message();
  EXPECT_THAT(received.failures, IsEmpty());
  EXPECT_THAT(received.phases, ElementsAre(v1::INIT, v1::SCHEDULER_ATTACHED,
                                           v1::WORKLOAD_STARTED,
                                           v1::WORKLOAD_ENDED, v1::DETACHED));
  EXPECT_THAT(received.test_log,
              HasSubstr("KTSTR_CGROUP_ROOT=" + Path("cgroups/cells") + "\n"));
  EXPECT_EQ(*ReadFile(Path("proc/kernel/x")), "2");
  EXPECT_EQ(*ReadFile(Path("files/sys/features")), "OFF");
  EXPECT_FALSE(FileExists(Path("cgroups/cells")));
}

TEST_F(DaemonTest, GuestThatCannotBeSetUpRunsNothing) {
  options_.session.setup_roots.sysctls = Path("proc");
  Start();
  v1::RunTestRequest request = RequestWithScheduler("passes", "normal");
  v1::Sysctl& sysctl = *request.mutable_setup()->add_sysctls();
  sysctl.set_key("kernel.no_such_thing");
  sysctl.set_value("1");
  Received received = Run(request);
  ASSERT_TRUE(received.status.ok()) << received.status.error_message();
  EXPECT_THAT(received.phases, ElementsAre(v1::INIT));
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_EQ(received.failures[0].kind(), v1::SETUP_FAILED);
  EXPECT_THAT(received.failures[0].message(),
              HasSubstr("scheduler fake cannot be set up: sysctl "
                        "kernel.no_such_thing: this kernel does not have"));
  EXPECT_THAT(received.verdicts, IsEmpty());
  EXPECT_THAT(received.reports, IsEmpty());
}

TEST_F(DaemonTest, FailingVerdictIsStillACompletedCall) {
  Start();
  Received received = Run(Request("fails"));
  ASSERT_TRUE(received.status.ok());
  ASSERT_EQ(received.verdicts.size(), 1u);
  EXPECT_FALSE(received.verdicts[0].passed());
  EXPECT_EQ(received.exit.exit_code(), 1);
}

TEST_F(DaemonTest, SchedulerThatDiesAtStartIsAFindingWithItsLastLine) {
  Start();
  v1::RunTestRequest request = RequestWithScheduler("passes", "die");
  request.set_wants_verifier_log(true);
  Received received = Run(request);
  ASSERT_TRUE(received.status.ok());
  EXPECT_THAT(received.phases, ElementsAre(v1::INIT));
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_FALSE(received.reports.back().has_exit());
  EXPECT_EQ(received.failures[0].kind(), v1::SCHEDULER_DIED);
  EXPECT_THAT(received.failures[0].message(), HasSubstr("exit code 3"));
  EXPECT_THAT(received.failures[0].message(),
              HasSubstr("cannot load: no such program"));
  EXPECT_EQ(received.test_log, "");
  ASSERT_EQ(received.bpf_programs.size(), 1u);
  EXPECT_EQ(received.bpf_programs[0].missing(), "");
  ASSERT_EQ(received.bpf_programs[0].programs_size(), 1);
  EXPECT_EQ(received.bpf_programs[0].programs(0).name(), "fake_program");
}

TEST_F(DaemonTest, SchedulerThatNeverAttachesIsAFinding) {
  Start();
  v1::RunTestRequest request = RequestWithScheduler("passes", "never");
  *request.mutable_attach_timeout() = ToProtoDuration(absl::Milliseconds(100));
  *request.mutable_detach_timeout() = ToProtoDuration(absl::Milliseconds(200));
  Received received = Run(request);
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_EQ(received.failures[0].kind(), v1::SCHEDULER_NOT_ATTACHED);
  EXPECT_THAT(received.failures[0].message(), HasSubstr("within 100ms"));
}

TEST_F(DaemonTest, KernelWithoutSchedExtSaysWhichOptionIsMissing) {
  ASSERT_OK(RemoveTree(Path("sysfs")));
  Start();
  Received received = Run(RequestWithScheduler("passes", "attach"));
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_EQ(received.failures[0].kind(), v1::SCHEDULER_NOT_ATTACHED);
  EXPECT_THAT(received.failures[0].message(),
              HasSubstr("CONFIG_SCHED_CLASS_EXT"));
}

TEST_F(DaemonTest, MapWriteThatCannotBeIsAFindingAndNoTestRuns) {
  Start();
  v1::RunTestRequest request = RequestWithScheduler("passes", "attach");
  request.add_bpf_map_writes()->set_map_suffix(".bss");
  Received received = Run(request);
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_EQ(received.failures[0].kind(), v1::SETUP_FAILED);
  // The scheduler is no BPF; where the kernel does not even list programs, that
  // is why.
  EXPECT_THAT(received.failures[0].message(),
              AllOf(HasSubstr("bpf_map_write into scheduler fake: "),
                    AnyOf(HasSubstr("1 of 1 not done: \".bss\" at 0: no map"),
                          HasSubstr("does not list its programs"))));
  EXPECT_THAT(received.phases,
              ElementsAre(v1::INIT, v1::SCHEDULER_ATTACHED, v1::DETACHED));
  EXPECT_THAT(received.verdicts, IsEmpty());
}

TEST_F(DaemonTest, MapWriteNeedsAScheduler) {
  Start();
  v1::RunTestRequest request = Request("passes");
  request.add_bpf_map_writes()->set_map_suffix(".bss");
  Received received = Run(request);
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_EQ(received.failures[0].kind(), v1::SETUP_FAILED);
  EXPECT_THAT(received.failures[0].message(),
              HasSubstr("needs a scheduler that is a program"));
  EXPECT_THAT(received.phases, ElementsAre(v1::INIT));
}

TEST_F(DaemonTest, MissingSchedulerProgramIsAFinding) {
  Start();
  v1::RunTestRequest request = RequestWithScheduler("passes", "attach");
  request.set_scheduler_path("/nonexistent/scheduler");
  Received received = Run(request);
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_THAT(received.failures[0].message(), HasSubstr("cannot be executed"));
}

TEST_F(DaemonTest, SchedulerDeathDuringTheTestIsReportedAndEndsTheTest) {
  Start();
  Received received =
      Run(RequestWithScheduler("upsets-scheduler", "crash-later"));
  ASSERT_TRUE(received.status.ok());
  ASSERT_GE(received.reports.size(), 2u);
  EXPECT_TRUE(received.reports.back().died());
  EXPECT_EQ(received.reports.back().exit_signal(), SIGKILL);
  EXPECT_EQ(received.reports.back().exit().kind(),
            v1::EXIT_UNREGISTERED_BY_USER);
  EXPECT_EQ(received.exit.exit_signal(), SIGKILL);
  EXPECT_FALSE(received.exit.timed_out());
  EXPECT_THAT(received.verdicts, IsEmpty());
}

TEST_F(DaemonTest, SchedulerUnloadedByTheKernelIsReportedAsSuch) {
  Start();
  const std::string dump = "sched_ext_dump: first\nsched_ext_dump: last\n";
  ASSERT_OK(WriteAll(trace_pipe_.get(), dump));
  Received received = Run(RequestWithScheduler("upsets-scheduler", "unload"));
  ASSERT_TRUE(received.status.ok());
  ASSERT_GE(received.reports.size(), 2u);
  EXPECT_TRUE(received.reports.front().detached_early());
  EXPECT_FALSE(received.reports.front().died());
  const v1::SchedulerExit& exit = received.reports.back().exit();
  EXPECT_EQ(received.dump, "first\nlast\n");
  EXPECT_EQ(exit.kind(), v1::EXIT_ERROR_STALL);
  EXPECT_EQ(exit.message(), "worker[7] failed to run for 1.500s");
  EXPECT_EQ(exit.stalled_task().comm(), "worker");
  EXPECT_THAT(exit.backtrace(), ElementsAre("frame+0x1/0x2"));
  EXPECT_THAT(received.phases, Contains(v1::DETACHED));
}

TEST_F(DaemonTest, UnloadingThatBeganDuringTheTestIsNotTakenForTheEnd) {
  Start();
  Received received =
      Run(RequestWithScheduler("passes-while-unloading", "attach"));
  ASSERT_TRUE(received.status.ok());
  ASSERT_EQ(received.verdicts.size(), 1u);
  ASSERT_GE(received.reports.size(), 1u);
  EXPECT_TRUE(received.reports.back().detached_early());
  EXPECT_FALSE(received.reports.back().died());
}

TEST_F(DaemonTest, SchedulerThatIgnoresTheRequestToEndIsKilled) {
  Start();
  v1::RunTestRequest request = RequestWithScheduler("passes", "stubborn");
  *request.mutable_detach_timeout() = ToProtoDuration(absl::Milliseconds(400));
  Received received = Run(request);
  ASSERT_EQ(received.reports.size(), 1u);
  EXPECT_EQ(received.reports[0].exit_signal(), SIGKILL);
  EXPECT_FALSE(received.reports[0].died());
}

TEST_F(DaemonTest, CrashingTestHasAnExitAndNoVerdict) {
  Start();
  Received received = Run(Request("crashes"));
  EXPECT_THAT(received.phases, ElementsAre(v1::INIT, v1::WORKLOAD_STARTED));
  EXPECT_THAT(received.verdicts, IsEmpty());
  EXPECT_EQ(received.exit.exit_signal(), SIGSEGV);
  EXPECT_FALSE(received.exit.timed_out());
}

TEST_F(DaemonTest, HangingTestTimesOutWithHeartbeats) {
  Start();
  v1::RunTestRequest request = Request("hangs");
  *request.mutable_test_timeout() = ToProtoDuration(absl::Milliseconds(200));
  Received received = Run(request);
  EXPECT_TRUE(received.exit.timed_out());
  EXPECT_EQ(received.exit.exit_signal(), SIGKILL);
  EXPECT_GE(received.heartbeats, 2);
}

TEST_F(DaemonTest, GarbageFramesAreAFindingNotACrash) {
  Start();
  Received received = Run(Request("writes-garbage"));
  ASSERT_TRUE(received.status.ok());
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_EQ(received.failures[0].kind(), v1::TEST_CRASHED);
  EXPECT_THAT(received.failures[0].message(), HasSubstr("damaged frame"));
}

TEST_F(DaemonTest, OnlyTheFirstVerdictIsSentOn) {
  Start();
  Received received = Run(Request("talks-after-verdict"));
  ASSERT_EQ(received.verdicts.size(), 1u);
  EXPECT_TRUE(received.verdicts[0].passed());
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_THAT(received.failures[0].message(), HasSubstr("after its verdict"));
}

TEST_F(DaemonTest, DescendantsDoNotKeepATestAlive) {
  ASSERT_OK(MakeDirs(Path("cgroup/outer/inner")));
  Start();
  Received received = Run(Request("leaves-child"));
  ASSERT_TRUE(received.status.ok());
  EXPECT_THAT(received.phases, Contains(v1::WORKLOAD_ENDED));
  EXPECT_FALSE(FileExists(Path("cgroup")));
}

TEST_F(DaemonTest, LongOutputArrivesWhole) {
  Start();
  Received received = Run(Request("floods"));
  EXPECT_EQ(received.test_log.size(), size_t{4} << 20);
  EXPECT_EQ(received.verdicts.size(), 1u);
  EXPECT_FALSE(received.exit.timed_out());
}

TEST_F(DaemonTest, MissingSuiteIsAFinding) {
  Start();
  v1::RunTestRequest request = Request("passes");
  request.set_suite_path("/nonexistent/suite");
  Received received = Run(request);
  ASSERT_EQ(received.failures.size(), 1u);
  EXPECT_EQ(received.failures[0].kind(), v1::TEST_CRASHED);
}

TEST_F(DaemonTest, SecondRunIsRefused) {
  Start();
  ASSERT_TRUE(Run(Request("passes")).status.ok());
  EXPECT_EQ(Run(Request("passes")).status.error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(DaemonTest, IncompleteRequestsAreRefused) {
  Start();
  v1::RunTestRequest request = Request("passes");
  request.set_suite_path("relative");
  EXPECT_EQ(Run(request).status.error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(DaemonTest, FailedInitRefusesTests) {
  options_.init_error = "mount proc on /proc: no";
  Start();
  Received received = Run(Request("passes"));
  EXPECT_EQ(received.status.error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(received.status.error_message(), options_.init_error);
}

TEST_F(DaemonTest, PowerOffIsAnsweredAndEndsTheDaemon) {
  Start();
  grpc::ClientContext context;
  v1::PowerOffResponse response;
  EXPECT_TRUE(stub_->PowerOff(&context, {}, &response).ok());
  thread_.Join();
  EXPECT_EQ(end_, DaemonEnd::kPowerOff);
}

TEST_F(DaemonTest, HostHangUpEndsTheDaemonAndTheTest) {
  options_.drain = absl::Milliseconds(50);
  Start();
  grpc::ClientContext context;
  auto reader = stub_->RunTest(&context, Request("hangs"));
  v1::GuestEvent event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(Stop(), DaemonEnd::kHostGone);
  while (reader->Read(&event)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(DaemonTest, NoTestWithinTheLimitEndsTheDaemon) {
  options_.run_deadline = absl::Milliseconds(50);
  Start();
  thread_.Join();
  EXPECT_EQ(end_, DaemonEnd::kNoTest);
}

TEST(HelloTest, IsPrecededByItsLength) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  v1::Hello hello;
  hello.set_protocol(1);
  hello.set_nonce("ab");
  ASSERT_OK(WriteHello(writer.get(), hello));
  writer.Reset();
  ASSERT_OK_AND_ASSIGN(std::string bytes, ReadAll(reader.get()));
  ASSERT_GT(bytes.size(), 4u);
  EXPECT_EQ(bytes.substr(0, 4),
            std::string(1, char(bytes.size() - 4)) + std::string(3, '\0'));
  v1::Hello parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes.substr(4)));
  EXPECT_EQ(parsed.nonce(), "ab");
}

}  // namespace
}  // namespace ktstr::guestd
