// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/performance.h"

#include <errno.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/host_cpus.h"

namespace ktstr::vmm {
namespace {

constexpr size_t kMaxFileBytes = 4096;
constexpr int64_t kMibPerHugePage = 2;

std::string ReadWord(const char* path) {
  return std::string(
      absl::StripAsciiWhitespace(ReadFile(path, kMaxFileBytes).value_or("")));
}

// Tries it on the calling thread, which is as before afterwards.
std::string WhyNoFifo() {
  sched_param before = {};
  const int policy = sched_getscheduler(0);
  sched_getparam(0, &before);
  const sched_param wanted = {.sched_priority = kServiceFifoPriority};
  if (sched_setscheduler(0, SCHED_FIFO, &wanted) != 0) {
    return std::strerror(errno);
  }
  sched_setscheduler(0, policy, &before);
  return "";
}

std::vector<int> Missing(const HostOffer& offer, const PerformanceSpec& spec) {
  std::vector<int> missing;
  auto check = [&](int cpu) {
    if (std::find(offer.cpus.begin(), offer.cpus.end(), cpu) ==
        offer.cpus.end()) {
      missing.push_back(cpu);
    }
  };
  for (int cpu : spec.vcpu_cpus) check(cpu);
  check(spec.service_cpu);
  std::sort(missing.begin(), missing.end());
  return missing;
}

}  // namespace

HostOffer ReadHostOffer() {
  HostOffer offer = {.cpus = AllowedHostCpus(), .no_fifo_reason = WhyNoFifo()};
  if (!absl::SimpleAtoi(
          ReadWord("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"),
          &offer.free_huge_pages)) {
    offer.free_huge_pages = 0;
  }
  offer.clocksource = ReadWord(
      "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  return offer;
}

absl::Status CheckOffer(const HostOffer& offer, const PerformanceSpec& spec,
                        int64_t memory_mib) {
  std::vector<std::string> unmet;
  if (std::vector<int> missing = Missing(offer, spec); !missing.empty()) {
    unmet.push_back(absl::StrCat("host CPUs ", FormatCpuList(missing),
                                 " are asked for, ", FormatCpuList(offer.cpus),
                                 " may be used"));
  }
  if (!offer.no_fifo_reason.empty()) {
    unmet.push_back(
        absl::StrCat("SCHED_FIFO is needed (CAP_SYS_NICE or RLIMIT_RTPRIO): ",
                     offer.no_fifo_reason));
  }
  const int64_t needed = (memory_mib + kMibPerHugePage - 1) / kMibPerHugePage;
  if (offer.free_huge_pages < needed) {
    unmet.push_back(absl::StrCat(needed, " huge pages of 2 MiB are needed, ",
                                 offer.free_huge_pages,
                                 " are free (/proc/sys/vm/nr_hugepages)"));
  }
  if (offer.clocksource != "tsc") {
    unmet.push_back(absl::StrCat(
        "the host's clock must be the TSC, it is ",
        offer.clocksource.empty() ? "unknown" : offer.clocksource));
  }
  if (unmet.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("performance mode: ", absl::StrJoin(unmet, "; ")));
}

absl::Status ClaimCpu(int cpu, int fifo_priority) {
  const size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
  std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
      CPU_ALLOC(cpu + 1), [](cpu_set_t* freed) { CPU_FREE(freed); });
  CPU_ZERO_S(bytes, set.get());
  CPU_SET_S(cpu, bytes, set.get());
  if (sched_setaffinity(0, bytes, set.get()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("pin to host CPU ", cpu));
  }
  const sched_param param = {.sched_priority = fifo_priority};
  if (sched_setscheduler(0, SCHED_FIFO, &param) != 0) {
    return absl::ErrnoToStatus(errno, "SCHED_FIFO");
  }
  return absl::OkStatus();
}

}  // namespace ktstr::vmm
