// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A suite whose tests are named for how the fake hostd lets them end. What it
// does when asked for its list is the word in $FAKE_SUITE.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "proto/suite.pb.h"

namespace {

ktstr::v1::SuiteDescription Describe() {
  ktstr::v1::SuiteDescription suite;
  suite.set_format_version(1);
  suite.set_name("fake_suite");
  suite.set_arch("x86_64");
  suite.add_work_types("CpuSpin");
  suite.add_work_types("YieldHeavy");
  for (const char* name :
       {"passes", "fails", "errors", "misses", "skips", "hangs", "dies"}) {
    ktstr::v1::TestDescription& test = *suite.add_tests();
    test.set_name(name);
    test.set_source_file("fake_suite.cc");
    test.set_source_line(1);
    test.set_topology("1n1l2c1t");
    test.set_memory_mib(256);
    test.mutable_duration()->set_seconds(1);
    test.set_workers_per_cgroup(1);
    ktstr::v1::TopologyConstraints& limits = *test.mutable_constraints();
    limits.set_min_numa_nodes(1);
    limits.set_max_numa_nodes(1);
    limits.set_min_llcs(1);
    limits.set_max_llcs(12);
    limits.set_min_cpus(1);
    limits.set_max_cpus(192);
    test.set_ignored_by_default(absl::string_view(name) == "dies" ||
                                absl::string_view(name) == "hangs");
  }
  return suite;
}

void PrintForever() {
  std::string block(65536, 'x');
  while (fwrite(block.data(), 1, block.size(), stdout) == block.size()) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || absl::string_view(argv[1]) != "--ktstr-list") return 2;
  const char* mood = getenv("FAKE_SUITE");
  absl::string_view word = mood == nullptr ? "" : mood;
  ktstr::v1::SuiteDescription suite = Describe();
  if (word == "garbage") {
    puts("\xff\xff\xff this is no description \x1b[2J");
    return 0;
  }
  if (word == "endless") PrintForever();
  if (word == "hangs") pause();
  if (word == "crashes") abort();
  if (word == "future") suite.set_format_version(99);
  if (word == "aarch64") suite.set_arch("aarch64");
  if (word == "empty") suite.clear_tests();
  if (word == "twice") *suite.add_tests() = suite.tests(0);
  if (word == "slash") suite.mutable_tests(0)->set_name("a/b");
  std::string bytes = suite.SerializeAsString();
  return fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() ? 0 : 1;
}
