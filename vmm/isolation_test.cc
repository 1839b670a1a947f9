// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/isolation.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

std::string Namespace(const std::string& kind) {
  char target[64] = {};
  EXPECT_GT(
      readlink(("/proc/self/ns/" + kind).c_str(), target, sizeof(target) - 1),
      0);
  return target;
}

// What `body` returns in a process of its own, which is given up afterwards.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(EnterNamespacesTest, EachIsAnotherOrNone) {
  for (const bool keeps_privileges : {false, true}) {
    EXPECT_EQ(
        InChild([keeps_privileges] {
          std::map<std::string, std::string> before;
          for (const char* kind : {"mnt", "net", "ipc", "uts", "cgroup"}) {
            before[kind] = Namespace(kind);
          }
          const bool is_inside = EnterNamespaces(keeps_privileges);
          for (const auto& [kind, name] : before) {
            if ((Namespace(kind) != name) != is_inside) return 1;
          }
          return 0;
        }),
        0);
  }
}

TEST(EnterNamespacesTest, RootStaysRootOfTheHost) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(InChild([] {
              const std::string user = Namespace("user");
              if (!EnterNamespaces(true)) return 0;
              return Namespace("user") == user ? 0 : 1;
            }),
            0);
}

TEST(LimitResourcesTest, MemoryAndDescriptorsAreBoundedAndNoCoreIsLeft) {
  EXPECT_EQ(InChild([] {
              if (!LimitResources().ok()) return 1;
              rlimit limit;
              getrlimit(RLIMIT_CORE, &limit);
              if (limit.rlim_max != 0) return 2;
              getrlimit(RLIMIT_NOFILE, &limit);
              if (limit.rlim_max > kMostDescriptors) return 3;
              return 0;
            }),
            0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(LimitResourcesTest, PrivateMemoryGrowsByNoMore) {
  EXPECT_EQ(InChild([] {
              if (!LimitResources().ok()) return 1;
              auto map = [](size_t bytes, int flags) {
                return mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            flags | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
              };
              if (!map(kMostGrowthBytes / 2, MAP_PRIVATE)) return 2;
              if (map(kMostGrowthBytes, MAP_PRIVATE)) return 3;
              // As RAM of guests is.
              return map(4 * kMostGrowthBytes, MAP_SHARED) ? 0 : 4;
            }),
            0);
}
#endif

}  // namespace
}  // namespace ktstr::vmm
