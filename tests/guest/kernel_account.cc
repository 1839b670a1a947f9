// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/kernel_account.h"

#include <algorithm>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

using Kind = WorkType::Kind;

constexpr double kNsPerMs = 1e6;
constexpr double kSlackNs = 30 * kNsPerMs;

// "se.sum_exec_runtime   :   12.345678"; milliseconds become nanoseconds.
absl::StatusOr<double> FieldOf(absl::string_view sched,
                               absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(sched, '\n')) {
    std::vector<absl::string_view> sides =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    double value = 0;
    if (sides.size() == 2 && absl::StripAsciiWhitespace(sides[0]) == name &&
        absl::SimpleAtod(absl::StripAsciiWhitespace(sides[1]), &value)) {
      return value;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("/proc/PID/sched has no number ", name));
}

// Which waits of a type are samples.
enum class Waits { kNone, kEach, kAtLeast };

Waits WaitsOf(const WorkType& type, const WorkerReport& report) {
  switch (type.kind) {
    case Kind::kBursty:
      return Waits::kEach;
    case Kind::kIoSync:
    case Kind::kPipeIo:
    case Kind::kFutexPingPong:
    case Kind::kCachePipe:
    case Kind::kMutexContention:
    case Kind::kForkExit:
    case Kind::kSocketPingPong:
      return Waits::kAtLeast;
    case Kind::kFutexFanOut:
      return report.is_messenger ? Waits::kNone : Waits::kAtLeast;
    default:
      return Waits::kNone;
  }
}

class Comparison {
 public:
  Comparison(const WorkerReport& report, const Observation& seen)
      : report_(report),
        seen_(seen),
        window_ns_(static_cast<double>(seen.observed_ns + seen.collected_ns)),
        late_ns_(std::max(0.0, window_ns_ - Wall())) {}

  double Wall() const { return static_cast<double>(report_.wall_time_ns); }

  void Within(const char* what, double own, double low, double high) {
    if (own >= low && own <= high) return;
    sentences_.push_back(
        absl::StrFormat("%s is %.0f, by the kernel's account %.0f to %.0f",
                        what, own, low, high));
  }

  // `earlier_ns` of the kernel's may have been before the first look,
  // `pending_ns` is not yet in it.
  void Time(const char* what, uint64_t own, uint64_t before, uint64_t after,
            uint64_t earlier_ns = 0, uint64_t pending_ns = 0) {
    const double kernel = static_cast<double>(after - before);
    const double slack = 0.03 * kernel + kSlackNs;
    Within(
        what, static_cast<double>(own),
        kernel - slack - late_ns_ - static_cast<double>(earlier_ns),
        kernel + slack + static_cast<double>(seen_.collected_ns + pending_ns));
  }

  // How the kernel's count of the observed time is to be seen by the loop.
  double Share() const {
    return Wall() / static_cast<double>(seen_.observed_ns);
  }

  std::vector<std::string> Take() { return std::move(sentences_); }

 private:
  const WorkerReport& report_;
  const Observation& seen_;
  const double window_ns_;
  const double late_ns_;
  std::vector<std::string> sentences_;
};

void CompareCounts(const WorkType& type, const WorkerReport& report,
                   const Observation& seen, Comparison& comparison) {
  const double share = comparison.Share();
  const auto counted = [&](uint64_t before, uint64_t after) {
    return static_cast<double>(after - before) * share;
  };
  const double runs = counted(seen.before.run_count, seen.after.run_count);
  comparison.Within("the number of runs",
                    static_cast<double>(report.schedstat_run_count),
                    runs * 0.75 - 500, runs * 1.25 + 500);
  const double moves = counted(seen.before.migrations, seen.after.migrations);
  comparison.Within("the number of migrations",
                    static_cast<double>(report.migration_count),
                    type.kind == Kind::kAffinityChurn ? moves * 0.5 - 20 : 0,
                    moves * 1.25 + 20);
  const double switches =
      counted(seen.before.voluntary_switches, seen.after.voluntary_switches);
  const double samples = static_cast<double>(report.wake_sample_total);
  switch (WaitsOf(type, report)) {
    case Waits::kEach: {
      const auto& bursty = std::get<BurstyParams>(type.params);
      const double unseen =
          static_cast<double>(seen.collected_ns) /
          static_cast<double>((bursty.burst + bursty.sleep).count());
      comparison.Within("the number of wake samples", samples,
                        switches * 0.75 - 20, switches * 1.25 + 20 + unseen);
      break;
    }
    case Waits::kAtLeast:
      comparison.Within("the number of wake samples", samples,
                        switches * 0.75 - 50, 1e18);
      break;
    case Waits::kNone:
      break;
  }
}

}  // namespace

absl::StatusOr<KernelAccount> ParseKernelAccount(absl::string_view schedstat,
                                                 absl::string_view sched) {
  KernelAccount account;
  std::vector<absl::string_view> words =
      absl::StrSplit(absl::StripAsciiWhitespace(schedstat), ' ');
  if (words.size() != 3 || !absl::SimpleAtoi(words[0], &account.cpu_ns) ||
      !absl::SimpleAtoi(words[1], &account.run_delay_ns) ||
      !absl::SimpleAtoi(words[2], &account.run_count)) {
    return absl::InvalidArgumentError(
        absl::StrCat("/proc/PID/schedstat is no three numbers: ", schedstat));
  }
  ABSL_ASSIGN_OR_RETURN(double exec_ms, FieldOf(sched, "se.sum_exec_runtime"));
  ABSL_ASSIGN_OR_RETURN(double migrations, FieldOf(sched, "se.nr_migrations"));
  ABSL_ASSIGN_OR_RETURN(double voluntary,
                        FieldOf(sched, "nr_voluntary_switches"));
  account.exec_ns = static_cast<uint64_t>(exec_ms * kNsPerMs);
  account.migrations = static_cast<uint64_t>(migrations);
  account.voluntary_switches = static_cast<uint64_t>(voluntary);
  return account;
}

absl::StatusOr<KernelAccount> ReadKernelAccount(pid_t pid) {
  const std::string tasks = absl::StrCat("/proc/", pid, "/task");
  ABSL_ASSIGN_OR_RETURN(std::vector<std::string> threads, ListDir(tasks));
  KernelAccount sum;
  for (const std::string& thread : threads) {
    const std::string dir = JoinPath(tasks, thread);
    ABSL_ASSIGN_OR_RETURN(std::string schedstat,
                          ReadFile(JoinPath(dir, "schedstat")));
    ABSL_ASSIGN_OR_RETURN(std::string sched, ReadFile(JoinPath(dir, "sched")));
    ABSL_ASSIGN_OR_RETURN(KernelAccount one,
                          ParseKernelAccount(schedstat, sched));
    sum.cpu_ns += one.cpu_ns;
    sum.run_delay_ns += one.run_delay_ns;
    sum.run_count += one.run_count;
    sum.exec_ns += one.exec_ns;
    sum.migrations += one.migrations;
    sum.voluntary_switches += one.voluntary_switches;
  }
  return sum;
}

absl::StatusOr<uint64_t> ReadCpuNs(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/schedstat");
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  uint64_t cpu_ns = 0;
  if (!absl::SimpleAtoi(text.substr(0, text.find(' ')), &cpu_ns)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", text));
  }
  return cpu_ns;
}

std::vector<std::string> Disagreements(const WorkType& type,
                                       const WorkerReport& report,
                                       const Observation& seen) {
  Comparison comparison(report, seen);
  comparison.Within(
      "wall time", comparison.Wall(),
      0.97 * static_cast<double>(seen.after.cpu_ns - seen.before.cpu_ns) -
          kSlackNs,
      static_cast<double>(seen.observed_ns + seen.collected_ns));
  comparison.Time("CPU time by schedstat", report.cpu_time_ns,
                  seen.before.cpu_ns, seen.after.cpu_ns);
  comparison.Time("CPU time by sum_exec_runtime", report.cpu_time_ns,
                  seen.before.exec_ns, seen.after.exec_ns);
  comparison.Time("run delay", report.schedstat_run_delay_ns,
                  seen.before.run_delay_ns, seen.after.run_delay_ns,
                  seen.pending_before_ns, seen.pending_ns);
  CompareCounts(type, report, seen, comparison);
  return comparison.Take();
}

}  // namespace ktstr
