// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "bpf/options.h"

#include <algorithm>
#include <iterator>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bpf/programs/scx_fixture.h"
#include "nlohmann/json.hpp"

namespace ktstr::bpf {
namespace {

// A scheduler's own line in a suite names the same (ktstr/scheduler.h).
struct Flag {
  const char* name;
  std::vector<std::string> args;
  std::vector<std::string> requires_flags;
};

const std::vector<Flag>& Flags() {
  static const auto* flags = new std::vector<Flag>{
      {"llc", {"--llc"}, {}},
      {"steal", {"--steal"}, {"llc"}},
      {"short-slice", {"--slice-us", "1000"}, {}},
  };
  return *flags;
}

// What a value that chooses a task is called.
constexpr char kTask[] = "PID|NAME";

// One option that asks for misbehaviour.
struct Switch {
  const char* name;
  Misbehavior misbehavior;
  const char* value;  // what its value is called; nullptr: it takes none
  int64_t min, max;   // of a value that is a number
  const char* help;
};

constexpr Switch kSwitches[] = {
    {"--stall-one", Misbehavior::kStallOne, kTask, 0, 0,
     "one task never runs again: this one, or the first whose name begins so"},
    {"--stall-all", Misbehavior::kStallAll, nullptr, 0, 0,
     "no task that this scheduler manages ever runs again"},
    {"--drop", Misbehavior::kDrop, "N", 1, 1'000'000'000,
     "forget every Nth task that waits for a CPU"},
    {"--crash", Misbehavior::kCrash, nullptr, 0, 0,
     "report an error from BPF, which ends the scheduler"},
    {"--one-cpu", Misbehavior::kOneCpu, "CPU", 0, FIXTURE_MAX_CPUS - 1,
     "run everything that may run there on this CPU"},
    {"--ignore-affinity", Misbehavior::kIgnoreAffinity, nullptr, 0, 0,
     "move tasks to CPUs that sched_setaffinity() has ruled out"},
    {"--ignore-cpuset", Misbehavior::kIgnoreCpuset, nullptr, 0, 0,
     "move tasks to CPUs outside their cpuset"},
    {"--unfair", Misbehavior::kUnfair, kTask, 0, 0,
     "one task pays a hundredth of its time, chosen likewise"},
    {"--reject-load", Misbehavior::kRejectLoad, nullptr, 0, 0,
     "bring a program that the kernel's verifier refuses"},
    {"--verifier-loop", Misbehavior::kVerifierLoop, nullptr, 0, 0,
     "bring a loop that the verifier cannot follow to its end"},
};

bool IsAtLoad(Misbehavior misbehavior) {
  return misbehavior == Misbehavior::kRejectLoad ||
         misbehavior == Misbehavior::kVerifierLoop;
}

absl::Status ParseTask(absl::string_view name, const std::string& text,
                       Options* options) {
  constexpr size_t kMaxBytes = FIXTURE_COMM_BYTES - 1;
  if (text.empty() || text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " \"", text, "\": give a pid, or the first 1 to ",
                     kMaxBytes, " bytes of a task's name"));
  }
  if (!std::all_of(text.begin(), text.end(), absl::ascii_isdigit)) {
    options->chosen_name = text;
    return absl::OkStatus();
  }
  if (!absl::SimpleAtoi(text, &options->chosen_pid) ||
      options->chosen_pid < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " ", text,
                     ": no pid is this number; give one from 1 to 2147483647"));
  }
  return absl::OkStatus();
}

absl::Status ParseValue(const Switch& asked, const std::string& text,
                        Options* options) {
  if (asked.value == nullptr) return absl::OkStatus();
  if (asked.value == kTask) return ParseTask(asked.name, text, options);
  int64_t value;
  if (!absl::SimpleAtoi(text, &value) || value < asked.min ||
      value > asked.max) {
    return absl::InvalidArgumentError(
        absl::StrCat(asked.name, " \"", text, "\": give a whole number from ",
                     asked.min, " to ", asked.max));
  }
  options->argument = static_cast<uint32_t>(value);
  return absl::OkStatus();
}

// A duration given as a number of `unit`, which `unit_name` names.
struct Length {
  const char* name;
  absl::Duration unit;
  const char* unit_name;
  double min, max;
  absl::Duration* result;
  const char* help;
};

absl::Status ParseLength(const Length& asked, const std::string& text) {
  double value;
  if (!absl::SimpleAtod(text, &value) ||
      !(value >= asked.min && value <= asked.max)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s \"%s\": give a number of %s from %.0f to %.0f", asked.name, text,
        absl::AsciiStrToLower(asked.unit_name), asked.min, asked.max));
  }
  *asked.result = value * asked.unit;
  return absl::OkStatus();
}

// The command line before its values are looked at.
class Parser {
 public:
  Parser() {
    app_.set_help_flag();
    app_.add_flag("-h,--help", wants_help_, "print this and exit");
    app_.add_flag("--ktstr-list-flags", wants_flags_)->group("");
    app_.add_flag("-v,--verbose", options_.is_verbose,
                  "print what libbpf does on standard error");
    app_.add_flag("--llc", options_.has_queue_per_llc,
                  "one queue for each last-level cache, not one for all CPUs");
    app_.add_flag("--steal", options_.may_steal,
                  "take from other caches before a CPU goes idle; needs --llc");
    for (size_t i = 0; i < kNumLengths; ++i) {
      length_options_[i] =
          app_.add_option(lengths_[i].name, length_texts_[i], lengths_[i].help)
              ->type_name(lengths_[i].unit_name);
    }
    for (size_t i = 0; i < std::size(kSwitches); ++i) {
      const Switch& known = kSwitches[i];
      CLI::Option* option = known.value == nullptr
                                ? app_.add_flag(known.name)
                                : app_.add_option(known.name, switch_texts_[i])
                                      ->type_name(known.value);
      option->description(known.help)->group("Misbehaviour, one at most");
      switch_options_[i] = option;
    }
    app_.footer(
        "Exit codes: 0 detached on request (SIGINT, SIGTERM, --exit-after); "
        "1 not\nattached; 2 bad usage; 3 ended by the kernel, which said why.");
  }

  absl::StatusOr<Options> Parse(std::vector<std::string> args) {
    std::reverse(args.begin(), args.end());  // the parser's convention
    // The parser's way to return.
    try {
      app_.parse(std::move(args));
    } catch (const CLI::ParseError& error) {
      return absl::InvalidArgumentError(
          absl::StrCat(error.what(), "; --help lists the options"));
    }
    if (wants_help_) options_.to_print = app_.help();
    if (wants_flags_) options_.to_print = FlagsAsJson() + "\n";
    if (!options_.to_print.empty()) return options_;

    absl::Status status = ParseLengths();
    if (status.ok()) status = ChooseMisbehavior();
    if (status.ok()) status = CheckTogether();
    if (!status.ok()) return status;
    return options_;
  }

 private:
  static constexpr size_t kNumLengths = 4;
  static constexpr size_t kAfter = 3;

  absl::Status ParseLengths() {
    for (size_t i = 0; i < kNumLengths; ++i) {
      if (length_options_[i]->count() == 0) continue;
      absl::Status status = ParseLength(lengths_[i], length_texts_[i]);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ChooseMisbehavior() {
    const Switch* chosen = nullptr;
    for (size_t i = 0; i < std::size(kSwitches); ++i) {
      if (switch_options_[i]->count() == 0) continue;
      if (chosen != nullptr) {
        return absl::InvalidArgumentError(absl::StrCat(
            "it can misbehave in one way at a time: ", chosen->name, " or ",
            kSwitches[i].name));
      }
      chosen = &kSwitches[i];
      absl::Status status = ParseValue(*chosen, switch_texts_[i], &options_);
      if (!status.ok()) return status;
    }
    if (chosen != nullptr) options_.misbehavior = chosen->misbehavior;
    return absl::OkStatus();
  }

  absl::Status CheckTogether() const {
    if (options_.may_steal && !options_.has_queue_per_llc) {
      return absl::InvalidArgumentError(
          "--steal needs --llc: there is one queue to take from otherwise");
    }
    if (length_options_[kAfter]->count() == 0) return absl::OkStatus();
    if (options_.misbehavior == Misbehavior::kNone) {
      return absl::InvalidArgumentError(
          "--after says when to misbehave: add one of the options that say "
          "how, or use --exit-after");
    }
    if (IsAtLoad(options_.misbehavior)) {
      return absl::InvalidArgumentError(
          "--after counts from attaching, which --reject-load and "
          "--verifier-loop never reach");
    }
    return absl::OkStatus();
  }

  CLI::App app_{"A small fair sched_ext scheduler that misbehaves on demand.",
                "scx_fixture"};
  Options options_;
  bool wants_help_ = false;
  bool wants_flags_ = false;
  const Length lengths_[kNumLengths] = {
      {"--slice-us", absl::Microseconds(1), "MICROSECONDS", 100, 1'000'000,
       &options_.slice, "one turn of a task on a CPU; 20000 by default"},
      {"--watchdog-ms", absl::Milliseconds(1), "MILLISECONDS", 100, 30'000,
       &options_.watchdog,
       "the kernel ends it when a task waits so long; 30000 by default"},
      {"--exit-after", absl::Seconds(1), "SECONDS", 0, 86'400,
       &options_.exit_after, "detach and exit so long after attaching"},
      {"--after", absl::Seconds(1), "SECONDS", 0, 86'400, &options_.after,
       "misbehave so long after attaching; at once by default"},
  };
  std::string length_texts_[kNumLengths];
  CLI::Option* length_options_[kNumLengths];
  std::string switch_texts_[std::size(kSwitches)];
  CLI::Option* switch_options_[std::size(kSwitches)];
};

}  // namespace

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& args) {
  return Parser().Parse(args);
}

std::string FlagsAsJson() {
  nlohmann::json all = nlohmann::json::array();
  for (const Flag& flag : Flags()) {
    all.push_back({{"name", flag.name},
                   {"args", flag.args},
                   {"requires", flag.requires_flags}});
  }
  return all.dump();
}

}  // namespace ktstr::bpf
