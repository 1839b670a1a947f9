// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/verification_report.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cycle_collapse.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/printable.h"
#include "results/report.h"
#include "results/table.h"
#include "results/verifier.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;
using ::ktstr::results::PrintableLine;

// One variant of the run, and what was asked for with it.
struct Verified {
  const Subject* subject = nullptr;
  const v1::Variant* variant = nullptr;

  const v1::BpfPrograms& programs() const {
    return variant->result().bpf_programs();
  }
  const std::string& kernel() const { return variant->spec().kernel().label(); }
};

std::vector<Verified> Match(const VerificationPlan& plan,
                            const FinishedRun& run) {
  std::vector<Verified> all;
  for (const v1::Variant* variant : run.variants) {
    auto it = plan.subjects.find(variant->spec().scheduler().name());
    if (it == plan.subjects.end()) continue;
    all.push_back({.subject = &it->second, .variant = variant});
  }
  return all;
}

std::vector<std::string> KernelsOf(const std::vector<Verified>& all) {
  std::vector<std::string> kernels;
  for (const Verified& one : all) {
    if (std::find(kernels.begin(), kernels.end(), one.kernel()) ==
        kernels.end()) {
      kernels.push_back(one.kernel());
    }
  }
  return kernels;
}

const Verified* Find(const std::vector<Verified>& all,
                     const std::string& kernel, const std::string& profile,
                     bool is_b) {
  for (const Verified& one : all) {
    if (one.kernel() == kernel && one.subject->profile == profile &&
        one.subject->is_b == is_b) {
      return &one;
    }
  }
  return nullptr;
}

// Why there are no figures of a variant; empty when there are.
std::string Missing(const Verified& one) {
  const v1::AttemptResult& result = one.variant->result();
  if (!one.programs().missing().empty()) return one.programs().missing();
  if (!one.programs().programs().empty()) return "";
  return result.has_bpf_programs() ? "no BPF program was loaded"
                                   : "the guest did not come that far";
}

class Text {
 public:
  Text(const VerifierOptions& options, const VerificationPlan& plan,
       const FinishedRun& run)
      : options_(options), plan_(plan), run_(run), all_(Match(plan, run)) {}

  std::string Build() {
    const std::vector<std::string> kernels = KernelsOf(all_);
    for (const std::string& kernel : kernels) {
      if (kernels.size() > 1) Line(absl::StrCat("kernel ", kernel, ":"));
      for (const Verified& one : all_) {
        if (one.kernel() == kernel) AddOne(one);
      }
      if (!options_.against.empty()) AddComparisons(kernel);
      if (options_.has_all_profiles) AddSummary(kernel);
    }
    for (const std::string& warning : results::BudgetWarnings(run_.variants)) {
      Line(warning);
    }
    Line(absl::StrCat("results: ", run_.result_directory));
    return std::move(text_);
  }

 private:
  void Line(absl::string_view line) { absl::StrAppend(&text_, line, "\n"); }

  void AddOne(const Verified& one) {
    const Subject& subject = *one.subject;
    std::string title = PrintableLine(subject.scheduler);
    if (!options_.against.empty()) {
      title = absl::StrCat(subject.is_b ? "B " : "A ", title);
    }
    if (options_.has_all_profiles) {
      absl::StrAppend(&title, " [", subject.profile, "]");
    }
    Line(absl::StrCat(title, ":"));
    for (const std::string& line : results::ProgramLines(one.programs())) {
      Line(absl::StrCat("  ", line));
    }
    std::string missing = Missing(one);
    if (!missing.empty()) {
      Line(absl::StrCat("  figures are missing: ", PrintableLine(missing)));
    }
    const v1::Outcome outcome = one.variant->result().outcome();
    if (outcome != v1::PASS) {
      Line(absl::StrCat("  ", results::OutcomeName(outcome), ": ",
                        PrintableLine(results::ReasonOf(*one.variant))));
    }
    for (const v1::BpfProgram& program : one.programs().programs()) {
      if (options_.is_raw || !program.is_accepted()) AddLog(program);
    }
  }

  void AddLog(const v1::BpfProgram& program) {
    if (program.log().empty()) return;
    Line(absl::StrCat("  --- verifier log of ", PrintableLine(program.name()),
                      program.log_bytes_dropped() > 0
                          ? absl::StrCat(", without its first ",
                                         program.log_bytes_dropped(), " bytes")
                          : "",
                      " ---"));
    std::string log =
        options_.is_raw ? program.log() : CollapseCycles(program.log());
    if (!options_.is_raw || run_.is_terminal) log = results::Printable(log);
    absl::StrAppend(&text_, log, log.empty() || log.back() != '\n' ? "\n" : "");
    Line("  --- end of log ---");
  }

  void AddComparisons(const std::string& kernel) {
    static const v1::BpfPrograms kNone;
    for (const std::string& profile : plan_.profiles) {
      const Verified* a = Find(all_, kernel, profile, /*is_b=*/false);
      const Verified* b = Find(all_, kernel, profile, /*is_b=*/true);
      if (options_.has_all_profiles) {
        Line(absl::StrCat("verified instructions [", profile, "]:"));
      } else {
        Line("verified instructions:");
      }
      if (a == nullptr || b == nullptr) {
        Line(absl::StrCat("  only ", a != nullptr ? "A" : "B",
                          " has this profile"));
      }
      text_ += results::ComparisonTable(
          results::ComparePrograms(a != nullptr ? a->programs() : kNone,
                                   b != nullptr ? b->programs() : kNone),
          Basename(options_.scheduler), Basename(options_.against));
    }
  }

  static absl::string_view Basename(absl::string_view path) {
    return path.substr(path.rfind('/') + 1);
  }

  void AddSummary(const std::string& kernel) {
    results::TextTable table(
        {"SCHEDULER", "PROFILE", "PROGRAMS", "VERIFIED", "HIGHEST", "OUTCOME"});
    for (const Verified& one : all_) {
      if (one.kernel() != kernel) continue;
      int64_t sum = 0;
      int64_t highest = 0;
      std::string name;
      for (const v1::BpfProgram& program : one.programs().programs()) {
        int64_t figure = results::VerifiedInsns(program).value_or(0);
        sum += figure;
        if (figure <= highest) continue;
        highest = figure;
        name = program.name();
      }
      table.AddRow({options_.against.empty()
                        ? one.subject->scheduler
                        : absl::StrCat(one.subject->is_b ? "B " : "A ",
                                       one.subject->scheduler),
                    one.subject->profile,
                    absl::StrCat(one.programs().programs_size()),
                    absl::StrCat(sum),
                    name.empty() ? "-" : absl::StrCat(highest, " ", name),
                    results::OutcomeName(one.variant->result().outcome())});
    }
    text_ += table.ToString();
  }

  const VerifierOptions& options_;
  const VerificationPlan& plan_;
  const FinishedRun& run_;
  const std::vector<Verified> all_;
  std::string text_;
};

json LogJson(const VerifierOptions& options, const v1::BpfProgram& program) {
  if (options.is_raw) return program.log();
  if (program.is_accepted()) return nullptr;
  return CollapseCycles(program.log());
}

json ResultJson(const VerifierOptions& options, const Verified& one) {
  std::string missing = Missing(one);
  json result = {
      {"kernel", one.kernel()},
      {"side", one.subject->is_b ? "B" : "A"},
      {"scheduler", one.subject->scheduler},
      {"profile", one.subject->profile},
      {"outcome", results::OutcomeName(one.variant->result().outcome())},
      {"reason", results::ReasonOf(*one.variant)},
      {"missing", missing.empty() ? json() : json(missing)},
      {"programs", results::BpfProgramsJson(one.programs())["programs"]}};
  int i = 0;
  for (const v1::BpfProgram& program : one.programs().programs()) {
    result["programs"][i++]["log"] = LogJson(options, program);
  }
  return result;
}

json ComparisonJson(const Verified& a, const Verified& b) {
  json rows = json::array();
  for (const results::ComparedProgram& program :
       results::ComparePrograms(a.programs(), b.programs())) {
    const v1::BpfProgram& named =
        program.a != nullptr ? *program.a : *program.b;
    auto figure = [](const v1::BpfProgram* side) {
      std::optional<int64_t> insns =
          side == nullptr ? std::nullopt : results::VerifiedInsns(*side);
      return insns ? json(*insns) : json();
    };
    std::optional<int64_t> delta = program.Delta();
    rows.push_back({{"name", named.name()},
                    {"type", named.type()},
                    {"in_a", program.a != nullptr},
                    {"in_b", program.b != nullptr},
                    {"a", figure(program.a)},
                    {"b", figure(program.b)},
                    {"delta", delta ? json(*delta) : json()}});
  }
  return {{"kernel", a.kernel()},
          {"profile", a.subject->profile},
          {"programs", rows}};
}

}  // namespace

std::string VerificationText(const VerifierOptions& options,
                             const VerificationPlan& plan,
                             const FinishedRun& run) {
  return Text(options, plan, run).Build();
}

std::string VerificationJson(const VerifierOptions& options,
                             const VerificationPlan& plan,
                             const FinishedRun& run) {
  const std::vector<Verified> all = Match(plan, run);
  json out = {{"exit_code", run.exit_code},
              {"result_directory", run.result_directory},
              {"warnings", results::BudgetWarnings(run.variants)},
              {"results", json::array()},
              {"comparisons", json::array()}};
  for (const Verified& one : all) {
    out["results"].push_back(ResultJson(options, one));
  }
  for (const Verified& a : all) {
    if (a.subject->is_b) continue;
    const Verified* b =
        Find(all, a.kernel(), a.subject->profile, /*is_b=*/true);
    if (b != nullptr) out["comparisons"].push_back(ComparisonJson(a, *b));
  }
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace ktstr::ktstrctl
