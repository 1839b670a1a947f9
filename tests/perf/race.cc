// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/perf/race.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <cstdio>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "tests/perf/bootstrap.h"

namespace ktstr::perf {
namespace {

// More than a racer touches.
constexpr size_t kWrittenBytes = size_t{1} << 30;

// A host that has less goes without.
void WriteFreeMemory() {
  void* memory = mmap(nullptr, kWrittenBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  madvise(memory, kWrittenBytes, MADV_HUGEPAGE);
  madvise(memory, kWrittenBytes, MADV_POPULATE_WRITE);
  munmap(memory, kWrittenBytes);
}

}  // namespace

absl::Status TakeTurns(int rounds, std::vector<Racer>& racers) {
  for (int round = -1; round < rounds; ++round) {
    for (size_t i = 0; i < racers.size(); ++i) {
      Racer& racer = racers[(size_t(round + 1) + i) % racers.size()];
      WriteFreeMemory();
      ABSL_ASSIGN_OR_RETURN(double ms, racer.run());
      if (round >= 0) racer.ms.push_back(ms);
    }
  }
  return absl::OkStatus();
}

void PrintRatio(const std::string& figure, const Racer& ours,
                const Racer& theirs) {
  const char* where = getenv("KTSTR_WHERE");
  const Figure line = {
      .name = figure,
      .estimate = Bootstrap(ours.ms, theirs.ms, RatioOfMedians),
      .unit = "ratio",
      .peer = absl::StrFormat("%s %.0f ms, %s %.0f ms", theirs.name,
                              Median(theirs.ms), ours.name, Median(ours.ms)),
      .n = ours.ms.size(),
      .where = where == nullptr ? "direct" : where};
  std::puts(FormatFigure(line).c_str());
  std::fflush(stdout);
}

}  // namespace ktstr::perf
