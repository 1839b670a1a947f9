// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The suite of `ktstrctl verifier`: one small machine on which a scheduler is
// loaded, and nothing else happens.
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;

KTSTR_TEST(loads, .topology = {.llcs = 1, .cores = 1, .threads = 1},
           .memory_mib = 2048) {
  return pass();
}

}  // namespace
