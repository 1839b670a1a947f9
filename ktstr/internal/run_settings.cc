// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/run_settings.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::internal {
namespace {

constexpr int64_t kMaxDurationMs = int64_t{24} * 3600 * 1000;
constexpr int64_t kMaxWorkers = 4096;
constexpr int64_t kMaxInt = (int64_t{1} << 31) - 1;

absl::StatusOr<std::optional<int64_t>> ReadNumber(const EnvironmentReader& read,
                                                  const char* name, int64_t min,
                                                  int64_t max) {
  const char* text = read(name);
  if (text == nullptr) return std::nullopt;
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < min || value > max) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, "=\"", text, "\" is not a number from ", min, " to ", max));
  }
  return value;
}

absl::StatusOr<std::optional<uint64_t>> ReadSeed(
    const EnvironmentReader& read) {
  const char* text = read("KTSTR_SEED");
  if (text == nullptr) return std::nullopt;
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "KTSTR_SEED=\"", text, "\" is not an unsigned 64-bit number"));
  }
  return value;
}

}  // namespace

absl::StatusOr<RunSettings> ReadRunSettings(const EnvironmentReader& read) {
  RunSettings settings;
  ABSL_ASSIGN_OR_RETURN(settings.frames_fd,
                        ReadNumber(read, "KTSTR_FRAMES_FD", 0, kMaxInt));
  ABSL_ASSIGN_OR_RETURN(
      std::optional<int64_t> duration_ms,
      ReadNumber(read, "KTSTR_DURATION_MS", 1, kMaxDurationMs));
  if (duration_ms) settings.duration = std::chrono::milliseconds(*duration_ms);
  ABSL_ASSIGN_OR_RETURN(settings.workers,
                        ReadNumber(read, "KTSTR_WORKERS", 1, kMaxWorkers));
  if (const char* name = read("KTSTR_WORK_TYPE"); name != nullptr) {
    absl::StatusOr<WorkType> type = WorkType::ByName(name);
    if (!type.ok()) return Annotate(type.status(), "KTSTR_WORK_TYPE");
    settings.work_type = *std::move(type);
  }
  ABSL_ASSIGN_OR_RETURN(settings.sched_pid,
                        ReadNumber(read, "KTSTR_SCHED_PID", 1, kMaxInt));
  ABSL_ASSIGN_OR_RETURN(settings.control_fd,
                        ReadNumber(read, "KTSTR_CONTROL_FD", 0, kMaxInt));
  ABSL_ASSIGN_OR_RETURN(settings.seed, ReadSeed(read));
  ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> overcommitted,
                        ReadNumber(read, "KTSTR_OVERCOMMITTED", 0, 1));
  settings.is_overcommitted = overcommitted.value_or(0) == 1;
  ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> cpu_controller,
                        ReadNumber(read, "KTSTR_CPU_CONTROLLER", 0, 1));
  settings.has_cpu_controller = cpu_controller.value_or(0) == 1;
  if (const char* text = read("KTSTR_TOPOLOGY"); text != nullptr) {
    absl::StatusOr<Topology> topology = Topology::Parse(text);
    if (!topology.ok()) return Annotate(topology.status(), "KTSTR_TOPOLOGY");
    settings.topology = *std::move(topology);
  }
  if (const char* root = read("KTSTR_CGROUP_ROOT"); root != nullptr) {
    if (root[0] != '/') {
      return absl::InvalidArgumentError(absl::StrCat(
          "KTSTR_CGROUP_ROOT=\"", root, "\" is not an absolute path"));
    }
    settings.cgroup_root = root;
  }
  return settings;
}

}  // namespace ktstr::internal
