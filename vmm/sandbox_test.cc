// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>

#include "base/status_matchers.h"
#include "base/thread.h"
#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

// Does `act` in a thread with that role and ends the process with 0.
[[noreturn]] void DoAs(ThreadRole role, const std::function<void()>& act) {
  absl::StatusOr<Sandbox> sandbox = Sandbox::Create();
  if (!sandbox.ok()) _exit(100);
  Thread thread("confined", [&] {
    if (!sandbox->Confine(role).ok()) _exit(101);
    act();
  });
  thread.Join();
  _exit(0);
}

void ExpectAllowed(ThreadRole role, const std::function<void()>& act) {
  EXPECT_EXIT(DoAs(role, act), ::testing::ExitedWithCode(0), "");
}
void ExpectRefused(ThreadRole role, const std::function<void()>& act) {
  EXPECT_EXIT(DoAs(role, act), ::testing::ExitedWithCode(Sandbox::kExitRefused),
              "vmm: refused system call [0-9]+");
}

constexpr ThreadRole kRoles[] = {ThreadRole::kMain, ThreadRole::kDevices,
                                 ThreadRole::kVcpu};

TEST(SandboxTest, NoRoleGetsBeyondItsDescriptors) {
  for (ThreadRole role : kRoles) {
    SCOPED_TRACE(int(role));
    ExpectAllowed(role, [] {
      if (open("/etc/passwd", O_RDONLY) != -1 || errno != EACCES) _exit(102);
    });
    ExpectRefused(role, [] {
      char* argv[] = {const_cast<char*>("/bin/true"), nullptr};
      execv(argv[0], argv);
    });
    ExpectRefused(role, [] { fork(); });
    ExpectRefused(role, [] { socket(AF_INET, SOCK_STREAM, 0); });
    ExpectRefused(role, [] {
      mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
           -1, 0);
    });
    ExpectRefused(role, [] { ioctl(0, KVM_CREATE_VM, 0); });
  }
}

TEST(SandboxTest, EveryRoleMayUseTheHeapAndItsDescriptors) {
  for (ThreadRole role : kRoles) {
    SCOPED_TRACE(int(role));
    ExpectAllowed(role, [] {
      std::vector<std::vector<char>> blocks;
      for (size_t size = 16; size < 64 << 20; size *= 2) {
        blocks.emplace_back(size, 'x');
      }
    });
    ExpectAllowed(role, [] { (void)!write(STDERR_FILENO, "x", 1); });
  }
}

TEST(SandboxTest, OnlyDevicesConnect) {
  auto connects = [] { socket(AF_UNIX, SOCK_STREAM, 0); };
  ExpectAllowed(ThreadRole::kDevices, connects);
  ExpectRefused(ThreadRole::kMain, connects);
  ExpectRefused(ThreadRole::kVcpu, connects);
}

TEST(SandboxTest, DevicesDoNotTouchTheVcpus) {
  auto runs = [] { ioctl(0, KVM_RUN, 0); };
  ExpectAllowed(ThreadRole::kVcpu, runs);
  ExpectRefused(ThreadRole::kDevices, runs);
}

}  // namespace
}  // namespace ktstr::vmm
