// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/telemetry.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "ktstr/internal/numa_text.h"

namespace ktstr::internal {
namespace {

constexpr uint64_t kStealRefreshNs = 100'000'000;
// Shorter gaps are not worth a look at the steal clock, which counts in 10 ms.
constexpr uint64_t kStealGapNs = 10'000'000;
constexpr uint64_t kStealUnitNs = 10'000'000;
constexpr int kStealColumn = 8;
constexpr int kMaxStealCpu = 4096;
// Little enough not to count among the pages of the work.
constexpr size_t kMaxText = 1 << 16;

uint64_t ReadClock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<uint64_t>(now.tv_nsec);
}

class KernelProbe : public WorkerProbe {
 public:
  uint64_t NowNs() override { return ReadClock(CLOCK_MONOTONIC); }
  uint64_t CpuTimeNs() override { return ReadClock(CLOCK_THREAD_CPUTIME_ID); }
  int Cpu() override { return sched_getcpu(); }

  std::optional<Schedstat> ReadSchedstat() override {
    return ReadSchedstatFile("/proc/thread-self/schedstat");
  }

  std::vector<uint64_t> ReadStealNs() override {
    absl::string_view text = ReadText("/proc/stat");
    return ParseStealNs(text.data(), text.size());
  }

  std::map<int, uint64_t> ReadNumaPages() override {
    return ParseNumaMaps(ReadText("/proc/self/numa_maps"));
  }

  std::optional<uint64_t> ReadPagesMigrated() override {
    return ParsePagesMigrated(ReadText("/proc/vmstat"));
  }

 private:
  // The whole lines of the first kMaxText bytes; empty where there is no such
  // file. Valid until the next call.
  absl::string_view ReadText(const char* path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    text_.resize(kMaxText);
    size_t size = 0;
    for (ssize_t got = 0; size < text_.size(); size += got) {
      got = read(fd, text_.data() + size, text_.size() - size);
      if (got <= 0) break;
    }
    close(fd);
    absl::string_view text(text_.data(), size);
    return text.substr(0, text.rfind('\n') + 1);
  }

  std::vector<char> text_;
};

uint64_t Less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

std::optional<Schedstat> ReadSchedstatFile(const char* path) {
  char text[128] = {};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  unsigned long long cpu = 0, delay = 0, count = 0;
  if (size <= 0 || sscanf(text, "%llu %llu %llu", &cpu, &delay, &count) != 3) {
    return std::nullopt;
  }
  return Schedstat{cpu, delay, count};
}

std::unique_ptr<WorkerProbe> MakeWorkerProbe() {
  return std::make_unique<KernelProbe>();
}

std::vector<uint64_t> ParseStealNs(const char* text, size_t size) {
  std::vector<uint64_t> steal;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text, size), '\n')) {
    if (!absl::ConsumePrefix(&line, "cpu")) continue;
    std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    int cpu = 0;
    uint64_t ticks = 0;
    // The line of all CPUs together has no number.
    if (line.empty() || line.front() == ' ') continue;
    if (words.size() <= kStealColumn || !absl::SimpleAtoi(words[0], &cpu) ||
        cpu < 0 || cpu > kMaxStealCpu ||
        !absl::SimpleAtoi(words[kStealColumn], &ticks)) {
      continue;
    }
    if (steal.size() <= static_cast<size_t>(cpu)) steal.resize(cpu + 1);
    steal[cpu] = ticks * kStealUnitNs;
  }
  return steal;
}

Telemetry::Telemetry(const Options& options)
    : options_(options), random_(options.seed) {}

void Telemetry::Begin() {
  report_.pid = getpid();
  begin_pages_migrated_ = options_.probe->ReadPagesMigrated();
  begin_schedstat_ = options_.probe->ReadSchedstat();
  if (options_.is_steal_aware) steal_ = options_.probe->ReadStealNs();
  begin_cpu_ns_ = options_.probe->CpuTimeNs();
  begin_ = last_checkpoint_ = Now();
  steal_read_ns_ = begin_.ns;
  frozen_at_wake_ns_ = begin_.frozen_ns;
  NotePlace(begin_.ns);
}

void Telemetry::EndIteration(uint64_t units) {
  ++report_.iterations;
  if (options_.live != nullptr) {
    options_.live->iterations.fetch_add(1, std::memory_order_relaxed);
  }
  Progress(units);
}

void Telemetry::Progress(uint64_t units) {
  report_.work_units += units;
  if (options_.live != nullptr) {
    options_.live->work_units.fetch_add(units, std::memory_order_relaxed);
  }
  const Moment now = Now();
  NoteGap(now);
  NotePlace(now.ns);
  if (options_.is_steal_aware && now.ns - steal_read_ns_ >= kStealRefreshNs) {
    RefreshSteal(now.ns);
  }
  last_checkpoint_ = now;
  blocked_since_checkpoint_ns_ = 0;
  frozen_at_wake_ns_ = now.frozen_ns;
}

// The worker may be frozen between any two instructions: both belong together
// only if the second did not change around the first.
Telemetry::Moment Telemetry::Now() const {
  uint64_t before = FrozenNs();
  for (;;) {
    const Moment now{.ns = options_.probe->NowNs(), .frozen_ns = FrozenNs()};
    if (now.frozen_ns == before) return now;
    before = now.frozen_ns;
  }
}

uint64_t Telemetry::FrozenNs() const {
  return options_.frozen_ns ? options_.frozen_ns->load() : 0;
}

void Telemetry::Blocked(uint64_t ns) {
  report_.blocked_ns += ns;
  blocked_since_checkpoint_ns_ += ns;
}

void Telemetry::Woke(uint64_t ns) {
  const uint64_t frozen = FrozenNs();
  ns = Less(ns, frozen - frozen_at_wake_ns_);
  frozen_at_wake_ns_ = frozen;
  ++report_.wake_sample_total;
  if (options_.live != nullptr) {
    options_.live->wakes[WakeBucket(ns)].fetch_add(1,
                                                   std::memory_order_relaxed);
  }
  std::vector<uint64_t>& sample = report_.resume_latencies_ns;
  if (sample.size() < WorkerReport::kMaxLatencies) {
    sample.push_back(ns);
    return;
  }
  uint64_t slot = random_.Below(report_.wake_sample_total);
  if (slot < sample.size()) sample[slot] = ns;
}

void Telemetry::NotePlace(uint64_t now) {
  // The place counts for a placement only if no change began or ended around
  // the question.
  const std::atomic<uint32_t>* epoch = options_.placement_epoch;
  uint32_t before = epoch ? epoch->load(std::memory_order_seq_cst) : 0;
  int cpu = options_.probe->Cpu();
  uint32_t after = epoch ? epoch->load(std::memory_order_seq_cst) : 0;
  if (cpu_ >= 0 && cpu != cpu_) {
    ++report_.migration_count;
    if (report_.migrations.size() < WorkerReport::kMaxMigrations) {
      report_.migrations.push_back(
          {.at_ns = now - begin_.ns, .from_cpu = cpu_, .to_cpu = cpu});
    }
  }
  cpu_ = cpu;
  if (before != after || before % 2 != 0) return;
  Residence residence{.epoch = before, .cpu = cpu};
  if (last_residence_ == residence) return;
  last_residence_ = residence;
  std::vector<Residence>& all = report_.residences;
  if (all.size() < WorkerReport::kMaxResidences &&
      std::find(all.rbegin(), all.rend(), residence) == all.rend()) {
    all.push_back(residence);
  }
}

uint64_t Telemetry::StolenSinceRefresh(int cpu,
                                       const std::vector<uint64_t>& steal) {
  size_t index = static_cast<size_t>(std::max(cpu, 0));
  if (index >= steal.size() || index >= steal_.size()) return 0;
  return Less(steal[index], steal_[index]);
}

void Telemetry::RefreshSteal(uint64_t now) {
  std::vector<uint64_t> steal = options_.probe->ReadStealNs();
  report_.stolen_ns +=
      std::min(StolenSinceRefresh(cpu_, steal), now - steal_read_ns_);
  steal_ = std::move(steal);
  steal_read_ns_ = now;
}

void Telemetry::NoteGap(const Moment& now) {
  uint64_t gap = Less(now.ns - last_checkpoint_.ns,
                      blocked_since_checkpoint_ns_ + now.frozen_ns -
                          last_checkpoint_.frozen_ns);
  if (gap <= report_.max_gap_ns) return;
  uint64_t stolen = 0;
  if (options_.is_steal_aware && gap >= kStealGapNs) {
    stolen =
        std::min(gap, StolenSinceRefresh(cpu_, options_.probe->ReadStealNs()));
  }
  if (gap - stolen <= report_.max_gap_ns) return;
  report_.max_gap_ns = gap - stolen;
  report_.max_gap_stolen_ns = stolen;
  report_.max_gap_cpu = cpu_;
  report_.max_gap_at_ns = now.ns - begin_.ns;
}

void Telemetry::NotePages() {
  report_.numa_pages = options_.probe->ReadNumaPages();
}

WorkerReport Telemetry::Finish() {
  const Moment now = Now();
  uint64_t cpu_time = options_.probe->CpuTimeNs();
  // What passed since the last checkpoint is a gap like any other.
  NoteGap(now);
  NotePlace(now.ns);
  if (options_.is_steal_aware) RefreshSteal(now.ns);
  report_.wall_time_ns = now.ns - begin_.ns;
  report_.frozen_ns =
      std::min(now.frozen_ns - begin_.frozen_ns, report_.wall_time_ns);
  report_.cpu_time_ns = Less(cpu_time, begin_cpu_ns_);
  report_.off_cpu_ns = Less(report_.wall_time_ns, report_.cpu_time_ns);
  std::optional<Schedstat> end = options_.probe->ReadSchedstat();
  if (begin_schedstat_ && end) {
    report_.has_schedstat = true;
    report_.schedstat_cpu_ns = Less(end->cpu_ns, begin_schedstat_->cpu_ns);
    report_.schedstat_run_delay_ns =
        Less(end->run_delay_ns, begin_schedstat_->run_delay_ns);
    report_.schedstat_run_count =
        Less(end->run_count, begin_schedstat_->run_count);
  }
  if (report_.numa_pages.empty()) NotePages();
  std::optional<uint64_t> migrated = options_.probe->ReadPagesMigrated();
  if (begin_pages_migrated_ && migrated) {
    report_.vmstat_numa_pages_migrated =
        Less(*migrated, *begin_pages_migrated_);
  }
  report_.completed = true;
  return std::move(report_);
}

}  // namespace ktstr::internal
