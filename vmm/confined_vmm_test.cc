// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The program itself, with a tiny guest on the real /dev/kvm: once the guest
// runs, no thread of it is free.
#include <signal.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/machine_spec.h"
#include "vmm/testing/guest_program.h"
#include "vmm/testing/guest_run.h"
#include "vmm/testing/vmm_process.h"

namespace ktstr::vmm {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::Key;

// Status files of the process's own threads, by name. KVM adds workers of the
// kernel ("kvm-nx-lpage-recovery"), which are not ours.
std::map<std::string, std::string> ThreadsOf(pid_t pid) {
  std::map<std::string, std::string> threads;
  const std::string dir = absl::StrCat("/proc/", pid, "/task");
  const std::vector<std::string> tids = ListDir(dir).value();
  for (const std::string& tid : tids) {
    std::string status =
        ReadFile(JoinPath(JoinPath(dir, tid), "status"), 1 << 16).value_or("");
    std::string name(absl::StripPrefix(
        absl::string_view(status).substr(0, status.find('\n')), "Name:\t"));
    if (!absl::StartsWith(name, "kvm-")) threads[name] = status;
  }
  return threads;
}

TEST(ConfinedVmmTest, EveryThreadIsConfinedWhenTheGuestSpeaks) {
  KTSTR_REQUIRE_KVM();
  MachineSpec spec;
  spec.topology = *Topology::Create(1, 1, 3, 1);
  spec.memory_mib = 32;
  ASSERT_OK_AND_ASSIGN(
      VmmProcess vmm,
      VmmProcess::Start(GuestProgram().Print("x\n").Spin(), spec));
  char byte;
  ASSERT_EQ(read(vmm.console(), &byte, 1), 1);
  const std::map<std::string, std::string> threads =
      ThreadsOf(vmm.process().pid());
  EXPECT_THAT(threads, ElementsAre(Key("cpu0"), Key("cpu1"), Key("cpu2"),
                                   Key("devices"), Key("vmm")));
  for (const auto& [name, status] : threads) {
    EXPECT_TRUE(absl::StrContains(status, "\nSeccomp:\t2\n")) << status;
    EXPECT_TRUE(absl::StrContains(status, "\nNoNewPrivs:\t1\n")) << status;
  }
  const std::string limits =
      ReadFile(absl::StrCat("/proc/", vmm.process().pid(), "/limits"), 1 << 16)
          .value_or("");
  EXPECT_THAT(limits, ContainsRegex("Max core file size +0 +0 "));
  ASSERT_OK(vmm.process().Kill(SIGKILL));
}

}  // namespace
}  // namespace ktstr::vmm
