// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Programs that tests run beside (or instead of) workers: what they are called,
// how they are started, what is read out of their output and asked of it.
//
//   constexpr PayloadDef kFio =
//       PayloadDef{"fio"}
//           .json()
//           .args({"--output-format=json"})
//           .check(PCheck::exit_code(0))
//           .metric("jobs.0.read.iops", Polarity::higher_better(), "iops");
//
// or the same fields as designated initialisers. Ready ones: ktstr/payloads.
#ifndef KTSTR_KTSTR_PAYLOAD_H_
#define KTSTR_KTSTR_PAYLOAD_H_

#include <signal.h>

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "ktstr/fixed_list.h"
#include "ktstr/measurement.h"

namespace ktstr {

// What is asked of a program that has ended. All that fail are findings, each
// with the metric, its value and the bound.
//
// Lifetime: `metric` is a literal, or outlives the call it is given to.
struct PCheck {
  enum class Kind { kExitCode, kMin, kMax, kRange, kExists };

  // Judged first; any other code, such as the -1 of a program that a signal
  // ended, leaves the other checks out. Not asked of a program that the test
  // itself ended.
  static constexpr PCheck exit_code(int code) {
    return {.kind = Kind::kExitCode, .code = code};
  }
  // Both ends of these are allowed values; a metric that is missing fails.
  static constexpr PCheck min(std::string_view metric, double low) {
    return {.kind = Kind::kMin, .metric = metric, .low = low};
  }
  static constexpr PCheck max(std::string_view metric, double high) {
    return {.kind = Kind::kMax, .metric = metric, .high = high};
  }
  static constexpr PCheck range(std::string_view metric, double low,
                                double high) {
    return {.kind = Kind::kRange, .metric = metric, .low = low, .high = high};
  }
  static constexpr PCheck exists(std::string_view metric) {
    return {.kind = Kind::kExists, .metric = metric};
  }

  Kind kind = Kind::kExitCode;
  std::string_view metric;
  double low = 0;
  double high = 0;
  int code = 0;
};

// What is known of a metric before it is measured.
struct MetricHint {
  std::string_view name;
  Polarity polarity;
  std::string_view unit;
};

// Hints by name; two of one name do not compile.
class MetricHints : public FixedList<MetricHint, 16> {
 public:
  constexpr MetricHints() = default;
  constexpr MetricHints(std::initializer_list<MetricHint> hints) {
    for (const MetricHint& hint : hints) Append(hint);
  }

  constexpr void Append(const MetricHint& hint) {
    if (Find(hint.name) != nullptr) TwoMetricsOfOneName();
    FixedList::Append(hint);
  }
  constexpr const MetricHint* Find(std::string_view name) const {
    for (const MetricHint& hint : *this) {
      if (hint.name == name) return &hint;
    }
    return nullptr;
  }

 private:
  // Not constexpr, as FixedList::TooManyElements.
  [[noreturn]] static void TwoMetricsOfOneName() { __builtin_abort(); }
};

// How a program is ended before its time: `signal` to its process group, and
// SIGKILL to what is left of it after `grace`. Many programs print their
// results only when they are asked to end.
struct PayloadStop {
  static constexpr PayloadStop at_once() {
    return {.signal = SIGKILL, .grace = std::chrono::milliseconds(0)};
  }

  int signal = SIGTERM;
  std::chrono::milliseconds grace = std::chrono::seconds(3);
};

// A number that a program printed.
struct PayloadMetric {
  enum class Stream { kStdout, kStderr };

  std::string name;
  double value = 0;
  std::string unit;
  Polarity polarity;
  Stream stream = Stream::kStdout;
};

// Reads numbers out of one stream of a program. `text` is valid UTF-8 of at
// most 16 MiB and comes from the program: anything may be in it. Names, values
// and (where hints do not say) units and polarities count, of the first 16,384.
using PayloadExtractor = std::vector<PayloadMetric> (*)(std::string_view text);

enum class PayloadOutput {
  kExitCode,  // nothing is read
  kJson,      // the numbers of a document in it: "jobs.0.read.iops"
  kText,      // what `extractor` finds
};

struct PayloadDef {
  constexpr PayloadDef json() const {
    PayloadDef copy = *this;
    copy.output = PayloadOutput::kJson;
    return copy;
  }
  constexpr PayloadDef text(PayloadExtractor extract) const {
    PayloadDef copy = *this;
    copy.output = PayloadOutput::kText;
    copy.extractor = extract;
    return copy;
  }
  constexpr PayloadDef program(std::string_view program) const {
    PayloadDef copy = *this;
    copy.binary = program;
    return copy;
  }
  constexpr PayloadDef args(
      std::initializer_list<std::string_view> words) const {
    PayloadDef copy = *this;
    for (std::string_view word : words) copy.default_args.Append(word);
    return copy;
  }
  constexpr PayloadDef check(const PCheck& check) const {
    PayloadDef copy = *this;
    copy.default_checks.Append(check);
    return copy;
  }
  constexpr PayloadDef metric(std::string_view name,
                              Polarity polarity = Polarity::unknown(),
                              std::string_view unit = {}) const {
    PayloadDef copy = *this;
    copy.metrics.Append({name, polarity, unit});
    return copy;
  }
  constexpr PayloadDef include(std::string_view file) const {
    PayloadDef copy = *this;
    copy.include_files.Append(file);
    return copy;
  }
  constexpr PayloadDef knows_flags(
      std::initializer_list<std::string_view> flags) const {
    PayloadDef copy = *this;
    for (std::string_view flag : flags) copy.known_flags.Append(flag);
    return copy;
  }
  constexpr PayloadDef stopped_by(const PayloadStop& how) const {
    PayloadDef copy = *this;
    copy.stop = how;
    return copy;
  }

  // The program's file; see `binary`.
  constexpr std::string_view program_name() const {
    return binary.empty() ? name : binary;
  }

  // What ops, records and messages call it: 1 to 64 of a-z A-Z 0-9 _ . -. One
  // program may have several definitions, each with a name of its own.
  std::string_view name;
  // A program on the guest's PATH, to be found where the run is submitted; or a
  // path there, of which the guest's PATH has the last part. Empty: `name`.
  std::string_view binary;
  PayloadOutput output = PayloadOutput::kExitCode;
  PayloadExtractor extractor = nullptr;
  // In front of what a test adds.
  FixedList<std::string_view, 16> default_args;
  FixedList<PCheck, 8> default_checks;
  // The ones worth a polarity and a unit. They are recorded before others.
  MetricHints metrics;
  // Packed beside the program, which is packed by itself: files, directories
  // and names of programs. In the guest /include-files/NAME.
  FixedList<std::string_view, 8> include_files;
  // Long options that a test may add, without the dashes; empty: any.
  FixedList<std::string_view, 32> known_flags;
  PayloadStop stop;
  // Stays in the test's process group, for a program that needs its terminal.
  // What it starts is not ended with it.
  bool uses_parent_pgrp = false;
};

namespace internal {

// What is wrong with a definition; nullptr: nothing.
constexpr const char* PayloadProblem(const PayloadDef& def) {
  if (def.name.empty() || def.name.size() > 64) {
    return "has no name of 1 to 64 characters";
  }
  for (char c : def.name) {
    const bool is_allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                            c == '-';
    if (!is_allowed) return "has a name of other than a-z A-Z 0-9 _ . -";
  }
  if (def.program_name().back() == '/') return "has a program that is none";
  if (def.output == PayloadOutput::kText && def.extractor == nullptr) {
    return "has text output and no extractor";
  }
  if (def.stop.signal < 1 || def.stop.signal > 64 ||
      def.stop.grace.count() < 0) {
    return "is stopped by a signal or grace period that is none";
  }
  for (const PCheck& check : def.default_checks) {
    if (check.kind == PCheck::Kind::kRange && !(check.low <= check.high)) {
      return "has a check for a range that is empty";
    }
    if (check.kind != PCheck::Kind::kExitCode && check.metric.empty()) {
      return "has a check of a metric without a name";
    }
    if (check.kind != PCheck::Kind::kExitCode &&
        def.output == PayloadOutput::kExitCode) {
      return "has a check of a metric, but nothing is read from its output";
    }
  }
  return nullptr;
}

}  // namespace internal
}  // namespace ktstr

#endif  // KTSTR_KTSTR_PAYLOAD_H_
