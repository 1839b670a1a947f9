// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Stands where a scheduler stands: prints its arguments, one a line, what the
// file behind --config holds and which controllers the cgroup behind
// --cell-parent-cgroup has, and ends.
#include <stdio.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace {

std::string Content(const std::string& path) {
  absl::StatusOr<std::string> text = ktstr::ReadFile(path, 4096);
  return text.ok() ? *text : text.status().ToString();
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    printf("argument [%s]\n", absl::CEscape(arg).c_str());
    if (i + 1 == argc) continue;
    if (arg == "--config") printf("config: %s", Content(argv[i + 1]).c_str());
    if (arg == "--cell-parent-cgroup") {
      printf("controllers: %s",
             Content(absl::StrCat("/sys/fs/cgroup", argv[i + 1],
                                  "/cgroup.controllers"))
                 .c_str());
    }
  }
  return 0;
}
