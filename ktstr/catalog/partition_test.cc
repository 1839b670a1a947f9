// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/catalog/partition.h"

#include <string>
#include <vector>

#include "base/cpu_list.h"
#include "gtest/gtest.h"
#include "model/topology.h"

namespace ktstr::catalog {
namespace {

GuestTopology Declared(int llcs, int cores_per_llc) {
  return GuestTopology::FromDeclared(
      *Topology::Create(1, llcs, cores_per_llc, 1));
}

// "0-2 | 3-6", or the reason in parentheses.
std::string Divided(const Partition& partition, const GuestTopology& machine,
                    int cgroups) {
  absl::StatusOr<std::vector<std::vector<int>>> sets =
      partition.Resolve(machine, cgroups);
  if (!sets.ok()) return "(" + std::string(sets.status().message()) + ")";
  std::string text;
  for (const std::vector<int>& set : *sets) {
    text += (text.empty() ? "" : " | ") + FormatCpuList(set);
  }
  return text;
}

struct Row {
  const char* what;
  Partition partition;
  int llcs;
  int cores;  // a LLC
  int cgroups;
  const char* sets;
};

// Worked out by hand from the definitions in partition.h; T is llcs * cores.
const Row kRows[] = {
    {"no cpusets", Partition::none(), 2, 2, 2, ""},

    // LLC 0 is 0-3, LLC 1 is 4-7; CPU 7 is the machine's last.
    {"last CPU is spared", Partition::llc_aligned(), 2, 4, 2, "0-3 | 4-6"},
    {"last CPU is elsewhere", Partition::llc_aligned(), 3, 4, 2, "0-3 | 4-7"},
    {"three of three", Partition::llc_aligned(), 3, 2, 3, "0-1 | 2-3 | 4"},
    {"an LLC keeps its only CPU", Partition::llc_aligned(), 2, 1, 2, "0 | 1"},
    {"one cgroup takes one LLC", Partition::llc_aligned(), 2, 4, 1, "0-3"},
    {"one LLC", Partition::llc_aligned(), 1, 8, 2,
     "(needs 2 LLCs, the machine has 1)"},
    {"one LLC for one cgroup", Partition::llc_aligned(), 1, 8, 1,
     "(needs 2 LLCs, the machine has 1)"},
    {"too few LLCs", Partition::llc_aligned(), 2, 4, 3,
     "(needs 3 LLCs, the machine has 2)"},

    // T = 8, L = 7: 3 and 4. T = 2 keeps both: L = 2. T = 3: L = 2.
    {"half of 7", Partition::split_half(), 1, 8, 2, "0-2 | 3-6"},
    {"half of 2", Partition::split_half(), 1, 2, 2, "0 | 1"},
    {"half of 3 less one", Partition::split_half(), 1, 3, 2, "0 | 1"},
    {"half of 1", Partition::split_half(), 1, 1, 2,
     "(needs more CPUs: no CPU is left for cgroup 0 of a machine with 0)"},
    {"always two", Partition::split_half(), 1, 8, 3, "0-2 | 3-6"},

    // |LLC 0| = 4: at 2, so that the second set spans both LLCs.
    {"across the boundary", Partition::split_misaligned(), 2, 4, 2,
     "0-1 | 2-6"},
    {"tiny-2llc", Partition::split_misaligned(), 2, 2, 2, "0 | 1-2"},
    {"one LLC: half", Partition::split_misaligned(), 1, 8, 2, "0-2 | 3-6"},
    {"LLCs of one CPU", Partition::split_misaligned(), 4, 1, 2,
     "(needs more CPUs: no CPU is left for cgroup 0 of a machine with 0-3)"},

    // base = 4, overlap = 2, stride = 2; 8-11 unused.
    {"T 12, n 3", Partition::overlap(.5), 1, 12, 3, "0-3 | 2-5 | 4-7"},
    // base = 2, overlap = 1, stride = 1.
    {"T 8, n 3", Partition::overlap(.5), 2, 4, 3, "0-1 | 1-2 | 2-3"},
    // base = 1, overlap = ceil(.5) = 1, not smaller: stride 1.
    {"T 4, n 3", Partition::overlap(.5), 2, 2, 3, "0 | 1 | 2"},
    // base = 0: one CPU each, wrapping.
    {"T 2, n 3", Partition::overlap(.5), 1, 2, 3, "0 | 1 | 0"},
    // base = 4, overlap = ceil(.4) = 1, stride = 3.
    {"overlap rounds up", Partition::overlap(.1), 1, 12, 3, "0-3 | 3-6 | 6-9"},
    {"no overlap", Partition::overlap(0), 1, 12, 3, "0-3 | 4-7 | 8-11"},
    // base = 2, overlap = 2, stride = 1.
    {"whole overlap", Partition::overlap(1), 1, 6, 3, "0-1 | 1-2 | 2-3"},

    // L = 7: trunc(5.25) = 5. L = 3: trunc(2.25) = 2. L = 2: trunc(1.5) = 1.
    {"uneven 7", Partition::uneven(.75), 1, 8, 2, "0-4 | 5-6"},
    {"uneven 3", Partition::uneven(.75), 2, 2, 2, "0-1 | 2"},
    {"uneven 2", Partition::uneven(.75), 1, 2, 2, "0 | 1"},
    {"at least one", Partition::uneven(.1), 1, 4, 2, "0 | 1-2"},
    {"uneven 1", Partition::uneven(.75), 1, 1, 2,
     "(needs more CPUs: no CPU is left for cgroup 1 of a machine with 0)"},
    {"all to one", Partition::uneven(1), 1, 4, 2,
     "(needs more CPUs: no CPU is left for cgroup 1 of a machine with 0-3)"},

    // T = 8: keep 8 - trunc(2.64) = 6. T = 4: keep 4 - 1 = 3, at 1.
    // T = 2: keep 2 - 0 = 2. Of all CPUs: the last may be among them.
    {"holdback 8", Partition::holdback(.33), 1, 8, 2, "0-2 | 3-5"},
    {"holdback 4", Partition::holdback(.33), 2, 2, 2, "0 | 1-2"},
    {"holdback 2", Partition::holdback(.33), 1, 2, 2, "0 | 1"},
    {"nothing held back", Partition::holdback(0), 1, 4, 2, "0-1 | 2-3"},
    {"one kept", Partition::holdback(.75), 1, 4, 2,
     "(needs more CPUs: no CPU is left for cgroup 1 of a machine with 0-3)"},
    {"all held back", Partition::holdback(1), 1, 4, 2,
     "(needs more CPUs: no CPU is left for cgroup 0 of a machine with 0-3)"},
};

TEST(PartitionTest, DividesAsWorkedOutByHand) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(
        Divided(row.partition, Declared(row.llcs, row.cores), row.cgroups),
        row.sets);
  }
}

TEST(PartitionTest, SaysHowManySetsItGives) {
  EXPECT_EQ(Partition::none().sets(4), 0);
  EXPECT_EQ(Partition::llc_aligned().sets(4), 4);
  EXPECT_EQ(Partition::overlap(.5).sets(3), 3);
  EXPECT_EQ(Partition::holdback(.33).sets(4), 2);
}

}  // namespace
}  // namespace ktstr::catalog
