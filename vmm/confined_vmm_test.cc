// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The program itself, with a tiny guest on the real /dev/kvm: once the guest
// runs, no thread of it is free.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/machine_spec.h"
#include "vmm/testing/guest_program.h"
#include "vmm/testing/guest_run.h"

namespace ktstr::vmm {
namespace {

using ::testing::ElementsAre;
using ::testing::Key;

constexpr int kMachineFd = 3, kKernelFd = 4;

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
  spec.kernel_fd = kKernelFd;
  spec.console_fd = 1;
  ASSERT_OK_AND_ASSIGN(UniqueFd machine,
                       MemoryFile("machine", FormatMachineSpec(spec)));
  ASSERT_OK_AND_ASSIGN(
      UniqueFd kernel,
      MemoryFile("kernel", GuestProgram().Print("x\n").Spin().BuildElf()));
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd console(ends[0]), console_end(ends[1]);
  ASSERT_OK_AND_ASSIGN(
      Subprocess vmm,
      Subprocess::Start(
          {.argv = {absl::StrCat(getenv("TEST_SRCDIR"), "/",
                                 getenv("TEST_WORKSPACE"), "/vmm/vmm"),
                    "--machine-fd", absl::StrCat(kMachineFd)},
           .inherited_fds = {{console_end.get(), 1},
                             {machine.get(), kMachineFd},
                             {kernel.get(), kKernelFd}}}));
  console_end.Reset();
  char byte;
  ASSERT_EQ(read(console.get(), &byte, 1), 1);
  const std::map<std::string, std::string> threads = ThreadsOf(vmm.pid());
  EXPECT_THAT(threads, ElementsAre(Key("cpu0"), Key("cpu1"), Key("cpu2"),
                                   Key("devices"), Key("vmm")));
  for (const auto& [name, status] : threads) {
    EXPECT_TRUE(absl::StrContains(status, "\nSeccomp:\t2\n")) << status;
    EXPECT_TRUE(absl::StrContains(status, "\nNoNewPrivs:\t1\n")) << status;
  }
  ASSERT_OK(vmm.Kill(SIGKILL));
}

}  // namespace
}  // namespace ktstr::vmm
