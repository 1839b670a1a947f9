// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/report_codec.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace ktstr::internal {
namespace {

constexpr char kVersion = 2;
constexpr size_t kMaxSetupError = 4096;

class Writer {
 public:
  void Number(uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }
  // Small negative numbers (CPU -1) take one byte.
  void Signed(int64_t value) {
    Number(value < 0 ? (static_cast<uint64_t>(-(value + 1)) << 1) | 1
                     : static_cast<uint64_t>(value) << 1);
  }
  void Text(absl::string_view text) {
    Number(text.size());
    bytes_.append(text.data(), text.size());
  }
  void Byte(char byte) { bytes_.push_back(byte); }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// After the first malformed item every further one is zero and ok() is false.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  uint64_t Number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return Fail();
      uint8_t byte = static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  int64_t Signed() {
    uint64_t raw = Number();
    int64_t half = static_cast<int64_t>(raw >> 1);
    return (raw & 1) != 0 ? -half - 1 : half;
  }
  // A count of items that take at least one byte each.
  size_t Count(size_t limit) {
    uint64_t count = Number();
    if (count > limit || count > bytes_.size()) return Fail();
    return count;
  }
  std::string Text(size_t limit) {
    size_t size = Count(limit);
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  bool AtEnd() const { return ok_ && bytes_.empty(); }

 private:
  uint64_t Fail() {
    ok_ = false;
    bytes_ = {};
    return 0;
  }

  absl::string_view bytes_;
  bool ok_ = true;
};

// The scalars, in wire order; `field` reads or writes one.
template <typename Report, typename F>
void ForEachCounter(Report& report, F field) {
  field(report.work_units);
  field(report.iterations);
  field(report.cpu_time_ns);
  field(report.wall_time_ns);
  field(report.off_cpu_ns);
  field(report.blocked_ns);
  field(report.stolen_ns);
  field(report.frozen_ns);
  field(report.migration_count);
  field(report.max_gap_ns);
  field(report.max_gap_at_ns);
  field(report.max_gap_stolen_ns);
  field(report.wake_sample_total);
  field(report.schedstat_cpu_ns);
  field(report.schedstat_run_delay_ns);
  field(report.schedstat_run_count);
}

}  // namespace

std::string EncodeWorkerReport(WorkerReport report) {
  Writer out;
  out.Byte(kVersion);
  out.Signed(report.pid);
  out.Number(report.completed);
  out.Number(report.has_schedstat);
  out.Number(report.is_messenger);
  out.Signed(report.max_gap_cpu);
  ForEachCounter(report, [&](uint64_t value) { out.Number(value); });
  out.Text(absl::string_view(report.setup_error).substr(0, kMaxSetupError));
  out.Number(report.migrations.size());
  for (const Migration& migration : report.migrations) {
    out.Number(migration.at_ns);
    out.Signed(migration.from_cpu);
    out.Signed(migration.to_cpu);
  }
  out.Number(report.residences.size());
  for (const Residence& residence : report.residences) {
    out.Number(residence.epoch);
    out.Signed(residence.cpu);
  }
  out.Number(report.numa_pages.size());
  for (const auto& [node, pages] : report.numa_pages) {
    out.Signed(node);
    out.Number(pages);
  }
  out.Number(report.vmstat_numa_pages_migrated.has_value());
  out.Number(report.vmstat_numa_pages_migrated.value_or(0));
  std::sort(report.resume_latencies_ns.begin(),
            report.resume_latencies_ns.end());
  out.Number(report.resume_latencies_ns.size());
  uint64_t previous = 0;
  for (uint64_t latency : report.resume_latencies_ns) {
    out.Number(latency - previous);
    previous = latency;
  }
  return out.Take();
}

absl::StatusOr<WorkerReport> DecodeWorkerReport(absl::string_view bytes) {
  if (bytes.empty() || bytes.front() != kVersion) {
    return absl::InvalidArgumentError("worker report: not version 2");
  }
  Reader in(bytes.substr(1));
  WorkerReport report;
  report.pid = static_cast<int>(in.Signed());
  report.completed = in.Number() != 0;
  report.has_schedstat = in.Number() != 0;
  report.is_messenger = in.Number() != 0;
  report.max_gap_cpu = static_cast<int>(in.Signed());
  ForEachCounter(report, [&](uint64_t& value) { value = in.Number(); });
  report.setup_error = in.Text(kMaxSetupError);
  report.migrations.resize(in.Count(WorkerReport::kMaxMigrations));
  for (Migration& migration : report.migrations) {
    migration.at_ns = in.Number();
    migration.from_cpu = static_cast<int>(in.Signed());
    migration.to_cpu = static_cast<int>(in.Signed());
  }
  report.residences.resize(in.Count(WorkerReport::kMaxResidences));
  for (Residence& residence : report.residences) {
    residence.epoch = static_cast<uint32_t>(in.Number());
    residence.cpu = static_cast<int>(in.Signed());
  }
  for (size_t left = in.Count(WorkerReport::kMaxNodes); left > 0; --left) {
    const int node = static_cast<int>(in.Signed());
    report.numa_pages[node] = in.Number();
  }
  const bool has_migrated = in.Number() != 0;
  const uint64_t migrated = in.Number();
  if (has_migrated) report.vmstat_numa_pages_migrated = migrated;
  report.resume_latencies_ns.resize(in.Count(WorkerReport::kMaxLatencies));
  uint64_t previous = 0;
  for (uint64_t& latency : report.resume_latencies_ns) {
    previous += in.Number();
    latency = previous;
  }
  if (!in.AtEnd()) {
    return absl::InvalidArgumentError(
        "worker report: cut off or followed by something else");
  }
  return report;
}

}  // namespace ktstr::internal
