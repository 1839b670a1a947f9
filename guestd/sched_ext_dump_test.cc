// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/sched_ext_dump.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(ParseDumpedTaskTest, ReadsTheLineOfATaskThatWaits) {
  absl::optional<v1::StalledTask> task =
      ParseDumpedTask("  R a [1] -2ms[77] -1020ms");
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->comm(), "a [1] -2ms");
  EXPECT_EQ(task->pid(), 77);
  EXPECT_EQ(FromProtoDuration(task->waited()), absl::Milliseconds(1020));
}

TEST(ParseDumpedTaskTest, NoOtherLineIsOne) {
  for (const char* line :
       {"", "  R", "  R ms", " *R running[77] -1020ms", "  R early[77] +0ms",
        "  R none -1020ms", "  R none[] -1020ms", "  R none[x] -1020ms",
        "  R none[77]-1020ms", "  R none[77] -ms", "  R none[77] -1020",
        "  R none[99999999999] -1ms", "  R none[7] -99999999999999999999ms",
        "CPU 0   : nr_run=1 flags=0x1 cpu_rel=0 pnt_seq=7"}) {
    EXPECT_FALSE(ParseDumpedTask(line).has_value()) << line;
  }
}

// The files of an instance; its trace_pipe is a pipe.
class SchedExtDumpTest : public ::testing::Test {
 protected:
  SchedExtDumpTest() : dir_(*TempDir::Create("sched_ext_dump_test")) {
    EXPECT_OK(MakeDirs(JoinPath(Instance(), "options")));
    EXPECT_OK(
        MakeDirs(JoinPath(Instance(), "events/sched_ext/sched_ext_dump")));
    EXPECT_OK(MakeDirs(JoinPath(Instance(), "per_cpu/cpu1")));
    for (const char* name : {"options/overwrite", "options/context-info",
                             "events/sched_ext/sched_ext_dump/enable"}) {
      EXPECT_OK(WriteFileAtomically(JoinPath(Instance(), name), "?"));
    }
    const std::string pipe = JoinPath(Instance(), "trace_pipe");
    EXPECT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    kernel_.Reset(open(pipe.c_str(), O_RDWR | O_CLOEXEC));
  }

  std::string Instance() {
    return JoinPath(dir_.path(), "instances/ktstr-guestd");
  }

  std::unique_ptr<SchedExtDump> Create() {
    auto dump = SchedExtDump::Create(dir_.path(), &loop_,
                                     [this](absl::string_view text) {
                                       EXPECT_LE(text.size(), 64u << 10);
                                       absl::StrAppend(&text_, text);
                                     });
    EXPECT_OK(dump.status());
    return *std::move(dump);
  }

  void Dump(const std::string& text) {
    ASSERT_OK(WriteAll(kernel_.get(), text));
  }

  TempDir dir_;
  UniqueFd kernel_;
  EventLoop loop_;
  std::string text_;
};

TEST_F(SchedExtDumpTest, SwitchesTheEventOn) {
  auto dump = Create();
  EXPECT_EQ(
      *ReadFile(JoinPath(Instance(), "events/sched_ext/sched_ext_dump/enable")),
      "1");
  EXPECT_EQ(*ReadFile(JoinPath(Instance(), "options/overwrite")), "0");
}

TEST_F(SchedExtDumpTest, KernelWithoutTheEventSaysSo) {
  ASSERT_OK(RemoveTree(JoinPath(Instance(), "events")));
  EXPECT_THAT(
      SchedExtDump::Create(dir_.path(), &loop_, nullptr).status().message(),
      HasSubstr("sched_ext_dump/enable"));
  ASSERT_OK(RemoveTree(dir_.path()));
  EXPECT_THAT(
      SchedExtDump::Create(dir_.path(), &loop_, nullptr).status().message(),
      HasSubstr("instances/ktstr-guestd"));
}

TEST_F(SchedExtDumpTest, LinesAreEventsOfTheLoop) {
  auto dump = Create();
  Dump(
      "sched_ext_dump: kworker/u8:1[9] triggered exit kind 1026:\n"
      "sched_ext_dump: \n"
      "        worker-9 [001] d..1. 1.5: sched_ext_dump: CPU states\n"
      "sched_ext_dump:   R first[8] -900ms\nsched_ext_");
  auto has_three = [this] { return absl::StrContains(text_, "first"); };
  EXPECT_TRUE(
      loop_.RunUntil(has_three, RealClock().Monotonic() + absl::Seconds(30)));
  Dump("dump:   R second[7] -1020ms\nsched_ext_dump:   R third[6] -1000ms\n");
  dump->Drain();
  EXPECT_EQ(text_,
            "kworker/u8:1[9] triggered exit kind 1026:\n"
            "\n"
            "CPU states\n"
            "  R first[8] -900ms\n"
            "  R second[7] -1020ms\n"
            "  R third[6] -1000ms\n");
  ASSERT_TRUE(dump->longest_waiting().has_value());
  EXPECT_EQ(dump->longest_waiting()->comm(), "second");
}

TEST_F(SchedExtDumpTest, LongDumpKeepsItsBeginningAndSaysSo) {
  auto dump = Create();
  const std::string line = "sched_ext_dump: " + std::string(1000, 'x') + "\n";
  Dump("sched_ext_dump: first\n");
  for (int i = 0; i < 1200; ++i) {
    Dump(line);
    dump->Drain();
  }
  EXPECT_THAT(text_, ::testing::StartsWith("first\nxxx"));
  EXPECT_THAT(text_, EndsWith("x\n[the dump is longer than 1048320 bytes; the "
                              "rest is left out]\n"));
  EXPECT_LE(text_.size(), 1u << 20);
}

TEST_F(SchedExtDumpTest, EndlessLineIsCut) {
  auto dump = Create();
  for (int i = 0; i < 100; ++i) {
    Dump(std::string(10000, 'x'));
    dump->Drain();
  }
  Dump("\n");
  dump->Drain();
  EXPECT_LE(text_.size(), 32u << 10);
}

TEST_F(SchedExtDumpTest, WhatTheKernelCouldNotStoreIsCounted) {
  auto dump = Create();
  ASSERT_OK(WriteFileAtomically(JoinPath(Instance(), "per_cpu/cpu1/stats"),
                                "entries: 7\noverrun: 0\n"
                                "dropped events: 12\nread events: 3\n"));
  dump->Drain();
  dump->Drain();
  EXPECT_EQ(text_, "[12 lines more did not fit into the kernel's buffer]\n");
}

}  // namespace
}  // namespace ktstr::guestd
