// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdio>

#include "ktstrctl/commands.h"
#include "results/printable.h"

namespace ktstr::ktstrctl {

int Complain(const absl::Status& status, int exit_code) {
  // Messages quote suites, kernels and peers.
  std::string text = results::PrintableLine(status.message());
  fprintf(stderr, "ktstrctl: error: %s\n", text.c_str());
  return exit_code;
}

}  // namespace ktstr::ktstrctl
