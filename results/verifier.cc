// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/verifier.h"

#include <string.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"
#include "results/printable.h"
#include "results/table.h"

namespace ktstr::results {
namespace {

using json = ::nlohmann::ordered_json;

// The names and types of one program are printed, never trusted.
std::string NameOf(const v1::BpfProgram& program) {
  std::string name = PrintableLine(program.name());
  return name.empty() ? "(unnamed)" : name;
}

int64_t Microseconds(const google::protobuf::Duration& duration) {
  return duration.seconds() * 1000000 + duration.nanos() / 1000;
}

std::string FigureOr(std::optional<int64_t> figure, absl::string_view other) {
  return figure ? absl::StrCat(*figure) : std::string(other);
}

// Name, type, and how many of both came before.
using ProgramKey = std::tuple<std::string, std::string, int>;

std::vector<std::pair<ProgramKey, const v1::BpfProgram*>> Keyed(
    const v1::BpfPrograms& loaded) {
  std::map<std::pair<std::string, std::string>, int> seen;
  std::vector<std::pair<ProgramKey, const v1::BpfProgram*>> keyed;
  for (const v1::BpfProgram& program : loaded.programs()) {
    int before = seen[{program.name(), program.type()}]++;
    keyed.push_back({{program.name(), program.type(), before}, &program});
  }
  return keyed;
}

std::string SideCell(const v1::BpfProgram* program) {
  if (program == nullptr) return "-";
  if (!program->is_accepted()) return "refused";
  return FigureOr(VerifiedInsns(*program), "-");
}

std::string DeltaCell(const ComparedProgram& program) {
  if (program.a == nullptr) return "only B";
  if (program.b == nullptr) return "only A";
  std::optional<int64_t> delta = program.Delta();
  return delta ? absl::StrFormat("%+d", *delta) : "-";
}

}  // namespace

std::optional<int64_t> VerifiedInsns(const v1::BpfProgram& program) {
  if (program.has_verified_insns()) return program.verified_insns();
  if (program.has_processed_insns()) return program.processed_insns();
  return std::nullopt;
}

const v1::BpfProgram* RefusedProgram(const v1::BpfPrograms& loaded) {
  for (const v1::BpfProgram& program : loaded.programs()) {
    if (!program.is_accepted()) return &program;
  }
  return nullptr;
}

std::string ProgramLine(const v1::BpfProgram& program, int name_width) {
  std::string name = NameOf(program);
  name.append(std::max(0, name_width - DisplayWidth(name)), ' ');
  std::vector<std::string> parts;
  if (!program.is_accepted()) {
    parts.push_back(absl::StrCat("refused (", strerror(program.error()), ")"));
  }
  auto add = [&parts](bool has, absl::string_view key, int64_t value) {
    if (has) parts.push_back(absl::StrCat(key, "=", value));
  };
  add(program.has_verified_insns(), "verified_insns", program.verified_insns());
  add(program.has_processed_insns(), "processed_insns",
      program.processed_insns());
  add(program.has_total_states(), "total_states", program.total_states());
  add(program.has_peak_states(), "peak_states", program.peak_states());
  add(program.has_max_states_per_insn(), "max_states_per_insn",
      program.max_states_per_insn());
  if (!program.stack_depths().empty()) {
    parts.push_back(
        absl::StrCat("stack=", absl::StrJoin(program.stack_depths(), "+")));
  }
  add(program.has_verification_time(), "verification_us",
      Microseconds(program.verification_time()));
  add(program.insns() > 0, "insns", program.insns());
  parts.push_back(absl::StrCat("type=", PrintableLine(program.type(), 40)));
  return absl::StrCat(name, "  ", absl::StrJoin(parts, " "));
}

std::vector<std::string> ProgramLines(const v1::BpfPrograms& loaded) {
  int width = 0;
  for (const v1::BpfProgram& program : loaded.programs()) {
    width = std::max(width, DisplayWidth(NameOf(program)));
  }
  std::vector<std::string> lines;
  for (const v1::BpfProgram& program : loaded.programs()) {
    lines.push_back(ProgramLine(program, width));
  }
  return lines;
}

std::optional<int64_t> ComparedProgram::Delta() const {
  if (a == nullptr || b == nullptr || !a->is_accepted() || !b->is_accepted()) {
    return std::nullopt;
  }
  std::optional<int64_t> of_a = VerifiedInsns(*a);
  std::optional<int64_t> of_b = VerifiedInsns(*b);
  if (!of_a || !of_b) return std::nullopt;
  return *of_b - *of_a;
}

std::vector<ComparedProgram> ComparePrograms(const v1::BpfPrograms& a,
                                             const v1::BpfPrograms& b) {
  std::map<ProgramKey, const v1::BpfProgram*> of_b;
  for (const auto& [key, program] : Keyed(b)) of_b[key] = program;
  std::vector<ComparedProgram> compared;
  for (const auto& [key, program] : Keyed(a)) {
    auto it = of_b.find(key);
    compared.push_back(
        {.a = program, .b = it == of_b.end() ? nullptr : it->second});
    if (it != of_b.end()) of_b.erase(it);
  }
  for (const auto& [key, program] : Keyed(b)) {
    if (of_b.count(key) > 0) compared.push_back({.a = nullptr, .b = program});
  }
  return compared;
}

std::string ComparisonTable(const std::vector<ComparedProgram>& programs,
                            absl::string_view a_name,
                            absl::string_view b_name) {
  TextTable table({"PROGRAM", absl::StrCat("A (", PrintableLine(a_name), ")"),
                   absl::StrCat("B (", PrintableLine(b_name), ")"), "B - A"});
  for (const ComparedProgram& program : programs) {
    const v1::BpfProgram* named = program.a != nullptr ? program.a : program.b;
    table.AddRow({NameOf(*named), SideCell(program.a), SideCell(program.b),
                  DeltaCell(program)});
  }
  return table.ToString();
}

std::vector<std::string> BudgetWarnings(
    const std::vector<const v1::Variant*>& variants) {
  // By scheduler and program.
  std::map<std::pair<std::string, std::string>, int64_t> highest;
  for (const v1::Variant* variant : variants) {
    for (const v1::BpfProgram& program :
         variant->result().bpf_programs().programs()) {
      std::optional<int64_t> figure = VerifiedInsns(program);
      if (!figure) continue;
      int64_t& known = highest[{
          PrintableLine(variant->spec().scheduler().name()), NameOf(program)}];
      known = std::max(known, *figure);
    }
  }
  std::vector<std::string> warnings;
  for (const auto& [key, figure] : highest) {
    if (figure * 100 < kVerifierInsnLimit * kVerifierWarningPercent) continue;
    warnings.push_back(absl::StrFormat(
        "warning: scheduler %s: the verifier looked at %d instructions of "
        "program %s, %d %% of the %d it allows",
        key.first, figure, key.second, figure * 100 / kVerifierInsnLimit,
        kVerifierInsnLimit));
  }
  return warnings;
}

json BpfProgramsJson(const v1::BpfPrograms& loaded) {
  json programs = json::array();
  for (const v1::BpfProgram& program : loaded.programs()) {
    auto figure = [](bool has, int64_t value) {
      return has ? json(value) : json();
    };
    json stack = program.stack_depths().empty() ? json() : json::array();
    for (uint32_t depth : program.stack_depths()) stack.push_back(depth);
    programs.push_back({
        {"name", program.name()},
        {"type", program.type()},
        {"accepted", program.is_accepted()},
        {"errno", figure(!program.is_accepted(), program.error())},
        {"insns", figure(program.insns() > 0, program.insns())},
        {"verified_insns",
         figure(program.has_verified_insns(), program.verified_insns())},
        {"processed_insns",
         figure(program.has_processed_insns(), program.processed_insns())},
        {"insn_limit", figure(program.has_insn_limit(), program.insn_limit())},
        {"max_states_per_insn", figure(program.has_max_states_per_insn(),
                                       program.max_states_per_insn())},
        {"total_states",
         figure(program.has_total_states(), program.total_states())},
        {"peak_states",
         figure(program.has_peak_states(), program.peak_states())},
        {"stack_depths", stack},
        {"verification_us", figure(program.has_verification_time(),
                                   Microseconds(program.verification_time()))},
        {"log_bytes_dropped",
         figure(!program.is_accepted(), program.log_bytes_dropped())},
    });
  }
  return {
      {"missing", loaded.missing().empty() ? json() : json(loaded.missing())},
      {"programs", programs}};
}

}  // namespace ktstr::results
