// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the kernel's BPF verifier said about a scheduler's programs, for people.
#ifndef KTSTR_RESULTS_VERIFIER_H_
#define KTSTR_RESULTS_VERIFIER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace ktstr::v1 {
class BpfProgram;
class BpfPrograms;
class Variant;
}  // namespace ktstr::v1

namespace ktstr::results {

// Instructions that the verifier looks at before it gives up
// (BPF_COMPLEXITY_LIMIT_INSNS of Linux 6.12).
inline constexpr int64_t kVerifierInsnLimit = 1000000;
// From this part of the limit on there is a warning.
inline constexpr int kVerifierWarningPercent = 75;

// By the program's own record, else by the verifier's log.
std::optional<int64_t> VerifiedInsns(const v1::BpfProgram& program);

// The first program the kernel refused; null when there is none.
const v1::BpfProgram* RefusedProgram(const v1::BpfPrograms& loaded);

// "NAME  verified_insns=N processed_insns=N ...", or that it was refused and
// why; figures the kernel did not give are left out. Names are padded to
// `name_width`.
std::string ProgramLine(const v1::BpfProgram& program, int name_width);

// ProgramLine() of each.
std::vector<std::string> ProgramLines(const v1::BpfPrograms& loaded);

// One program of A, of B, or of both.
struct ComparedProgram {
  const v1::BpfProgram* a = nullptr;  // null: B alone has it
  const v1::BpfProgram* b = nullptr;  // null: A alone has it

  // Verified instructions of B less those of A; nothing unless both were
  // accepted and have the figure.
  std::optional<int64_t> Delta() const;
};

// Each program of either, those of A first. Programs of the same name and type
// are paired in the order of their loading. Points into `a` and `b`.
std::vector<ComparedProgram> ComparePrograms(const v1::BpfPrograms& a,
                                             const v1::BpfPrograms& b);

// PROGRAM, verified instructions of A and of B, B - A. What only one has is "-"
// in the other.
std::string ComparisonTable(const std::vector<ComparedProgram>& programs,
                            absl::string_view a_name, absl::string_view b_name);

// One line for each program of a scheduler that uses kVerifierWarningPercent of
// the limit or more, by the highest figure of all variants.
std::vector<std::string> BudgetWarnings(
    const std::vector<const v1::Variant*>& variants);

// {"missing": text or null, "programs": [...]}; logs are left out.
nlohmann::ordered_json BpfProgramsJson(const v1::BpfPrograms& loaded);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_VERIFIER_H_
