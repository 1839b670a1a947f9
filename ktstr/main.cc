// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The main function of every suite binary.
#include <string>
#include <vector>

#include "ktstr/internal/suite_program.h"

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  return ktstr::internal::RunSuiteProgram(args);
}
