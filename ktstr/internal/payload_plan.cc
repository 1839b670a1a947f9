// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_plan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstr/internal/cgroup_tree.h"
#include "ktstr/internal/payload_json.h"
#include "ktstr/internal/payload_text.h"

namespace ktstr::internal {
namespace {

constexpr size_t kQuotedStderr = 1024;
constexpr size_t kNamesShown = 6;

absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

template <typename... Parts>
absl::Status Invalid(const PayloadPlan& plan, const Parts&... parts) {
  return absl::InvalidArgumentError(
      absl::StrCat("payload \"", plan.name(), "\" ", parts...));
}

absl::Status CheckFlags(const PayloadPlan& plan) {
  const auto& known = plan.def->known_flags;
  if (known.empty()) return absl::OkStatus();
  for (size_t i = plan.args.size() - plan.own_args; i < plan.args.size(); ++i) {
    absl::string_view word = plan.args[i];
    if (word == "--") return absl::OkStatus();  // only positionals follow
    if (!absl::ConsumePrefix(&word, "--")) continue;
    word = word.substr(0, word.find('='));
    if (known.Contains(std::string_view(word.data(), word.size()))) continue;
    std::string names;
    for (std::string_view flag : known) {
      absl::StrAppend(&names, names.empty() ? "" : ", ", "--", View(flag));
    }
    return Invalid(plan, "does not know the option --", word, "; it knows ",
                   names);
  }
  return absl::OkStatus();
}

bool IsProgram(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

std::vector<PayloadMetric> MetricsOf(const PayloadDef& def,
                                     const std::string& text,
                                     bool& is_truncated) {
  std::vector<PayloadMetric> metrics;
  if (def.output == PayloadOutput::kJson) {
    JsonNumbers found = FindJsonNumbers(text);
    is_truncated = found.is_truncated;
    for (JsonNumber& number : found.numbers) {
      metrics.push_back(
          {.name = std::move(number.path), .value = number.value});
    }
  } else if (def.output == PayloadOutput::kText) {
    metrics = def.extractor(text);
    std::erase_if(metrics, [](const PayloadMetric& metric) {
      return !std::isfinite(metric.value);
    });
    is_truncated = metrics.size() > JsonNumbers::kMaxNumbers;
    if (is_truncated) metrics.resize(JsonNumbers::kMaxNumbers);
  }
  return metrics;
}

void ReadMetrics(const PayloadDef& def, PayloadResult& result) {
  if (def.output == PayloadOutput::kExitCode) return;
  result.metrics = MetricsOf(def, result.out, result.is_truncated);
  PayloadMetric::Stream stream = PayloadMetric::Stream::kStdout;
  if (result.metrics.empty() && !result.err.empty()) {
    result.metrics = MetricsOf(def, result.err, result.is_truncated);
    stream = PayloadMetric::Stream::kStderr;
  }
  for (PayloadMetric& metric : result.metrics) {
    metric.stream = stream;
    const MetricHint* hint = def.metrics.Find(metric.name);
    if (hint == nullptr) continue;
    metric.polarity = hint->polarity;
    metric.unit = std::string(hint->unit);
  }
}

// As text, with a last line about what is missing.
std::string Readable(std::string bytes, uint64_t dropped) {
  std::string text = ReplaceInvalidUtf8(bytes);
  if (dropped > 0) {
    absl::StrAppend(&text, "\n[", dropped, " more bytes were dropped]\n");
  }
  return text;
}

std::string HowItEnded(const PayloadEnding& ending) {
  if (ending.limit) {
    return absl::StrCat("exit code -1 (killed at its time limit of ",
                        absl::FormatDuration(*ending.limit), ")");
  }
  if (ending.exit.signal != 0) {
    return absl::StrCat("exit code -1 (", ending.exit.ToString(), ")");
  }
  return ending.exit.ToString();
}

std::string Wanted(const PCheck& check) {
  switch (check.kind) {
    case PCheck::Kind::kExitCode:
      return absl::StrCat("exit code ", check.code);
    case PCheck::Kind::kMin:
      return absl::StrCat("at least ", check.low);
    case PCheck::Kind::kMax:
      return absl::StrCat("at most ", check.high);
    case PCheck::Kind::kRange:
      return absl::StrCat("from ", check.low, " to ", check.high);
    case PCheck::Kind::kExists:
      return "any value";
  }
  return "";
}

bool Holds(const PCheck& check, double value) {
  switch (check.kind) {
    case PCheck::Kind::kMin:
      return value >= check.low;
    case PCheck::Kind::kMax:
      return value <= check.high;
    case PCheck::Kind::kRange:
      return value >= check.low && value <= check.high;
    case PCheck::Kind::kExitCode:
    case PCheck::Kind::kExists:
      return true;
  }
  return true;
}

// What there was instead of a metric that is missing.
std::string Others(const PayloadResult& result) {
  if (result.metrics.empty()) return "its output had no metrics";
  std::string names;
  for (size_t i = 0; i < std::min(kNamesShown, result.metrics.size()); ++i) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", result.metrics[i].name);
  }
  return absl::StrCat("its output had ", result.metrics.size(), ": ", names,
                      result.metrics.size() > kNamesShown ? ", ..." : "",
                      result.is_truncated ? ", and some were left out" : "");
}

std::string FailureOf(const PayloadCheck& check, const PayloadResult& result) {
  const std::optional<double> value = result.metric(check.metric);
  if (!value) {
    return absl::StrCat("metric ", check.metric, " is missing, wanted ",
                        Wanted(check.bound), "; ", Others(result));
  }
  if (Holds(check.bound, *value)) return "";
  return absl::StrCat("metric ", check.metric, " is ", *value, ", wanted ",
                      Wanted(check.bound));
}

}  // namespace

PayloadPlan::PayloadPlan(std::shared_ptr<const PayloadDef> payload)
    : def(std::move(payload)) {
  for (std::string_view word : def->default_args) args.emplace_back(word);
  for (const PCheck& check : def->default_checks) checks.emplace_back(check);
}

absl::Status CheckPlan(const PayloadPlan& plan) {
  if (const char* problem = PayloadProblem(*plan.def)) {
    return Invalid(plan, problem);
  }
  for (const std::string& word : plan.args) {
    if (word.find('\0') != std::string::npos) {
      return Invalid(plan, "has an argument with a zero byte");
    }
  }
  for (const PayloadCheck& check : plan.checks) {
    if (check.bound.kind == PCheck::Kind::kExitCode) continue;
    if (plan.def->output == PayloadOutput::kExitCode) {
      return Invalid(plan, "has a check of the metric \"", check.metric,
                     "\", but nothing is read from its output");
    }
    if (check.bound.kind == PCheck::Kind::kRange &&
        !(check.bound.low <= check.bound.high)) {
      return Invalid(plan, "has a check for a range of \"", check.metric,
                     "\" that is empty");
    }
  }
  ABSL_RETURN_IF_ERROR(CheckFlags(plan));
  if (plan.cgroup.find('\0') != std::string::npos) {
    return Invalid(plan, "is to be in a cgroup with a zero byte in its name");
  }
  if (plan.cgroup.empty()) return absl::OkStatus();
  return Annotate(CheckCgroupName(plan.cgroup),
                  absl::StrCat("payload \"", plan.name(), "\""));
}

absl::StatusOr<std::string> FindPayloadProgram(const PayloadDef& def,
                                               const std::string& search_path) {
  const std::string binary(def.program_name());
  if (absl::StrContains(binary, '/') && IsProgram(binary)) return binary;
  const std::string name(Basename(binary));
  for (absl::string_view dir :
       absl::StrSplit(search_path, ':', absl::SkipEmpty())) {
    std::string path = JoinPath(dir, name);
    if (IsProgram(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat(
      "payload \"", View(def.name), "\": there is no program ", name,
      " on PATH (", search_path,
      "); a test that names the payload in .payload or .workloads brings it"));
}

std::vector<std::string> FailedChecks(const std::vector<PayloadCheck>& checks,
                                      const PayloadEnding& ending,
                                      const PayloadResult& result) {
  for (const PayloadCheck& check : checks) {
    if (check.bound.kind != PCheck::Kind::kExitCode || ending.is_by_test ||
        check.bound.code == result.exit_code) {
      continue;
    }
    std::string end = EndOf(result.err, kQuotedStderr);
    return {
        absl::StrCat(HowItEnded(ending), ", wanted ", Wanted(check.bound),
                     end.empty() ? "" : "; its standard error ended: ", end)};
  }
  std::vector<std::string> failed;
  for (const PayloadCheck& check : checks) {
    if (check.bound.kind == PCheck::Kind::kExitCode) continue;
    std::string failure = FailureOf(check, result);
    if (!failure.empty()) failed.push_back(std::move(failure));
  }
  return failed;
}

PayloadResult Conclude(const PayloadPlan& plan, PayloadEnding ending) {
  PayloadResult result{
      .exit_code = ending.exit.signal != 0 ? -1 : ending.exit.code,
      .signal = ending.exit.signal,
      .timed_out = ending.limit.has_value()};
  if (result.timed_out) result.exit_code = -1;
  result.out = Readable(std::move(ending.out), ending.out_dropped);
  result.err = Readable(std::move(ending.err), ending.err_dropped);
  ReadMetrics(*plan.def, result);
  for (const std::string& failure : FailedChecks(plan.checks, ending, result)) {
    result.findings.push_back(
        {.kind = FindingKind::kOther,
         .message = absl::StrCat("payload ", plan.name(), ": ", failure),
         .cgroup = plan.cgroup});
  }
  return result;
}

}  // namespace ktstr::internal
