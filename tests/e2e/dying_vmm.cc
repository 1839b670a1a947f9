// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Stands where `vmm` stands and becomes the real one, with a limit on CPU time
// that the kernel enforces with SIGKILL: a vmm killed with -9 in mid-run.
//
// Environment:
//   KTSTR_REAL_VMM       the program to become
//   KTSTR_DYING_ATTEMPTS attempts with an epoch up to this number die
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* real = getenv("KTSTR_REAL_VMM");
  const char* dying = getenv("KTSTR_DYING_ATTEMPTS");
  if (real == nullptr || dying == nullptr) return 2;
  for (int i = 1; i + 1 < argc; ++i) {
    if (strcmp(argv[i], "--attempt-epoch") == 0 &&
        atoi(argv[i + 1]) <= atoi(dying)) {
      const rlimit one_second = {.rlim_cur = 1, .rlim_max = 1};
      setrlimit(RLIMIT_CPU, &one_second);
    }
  }
  argv[0] = const_cast<char*>(real);
  execv(real, argv);
  return 2;
}
