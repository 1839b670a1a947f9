// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The catalogue as a suite: every row a test.
#include <array>
#include <chrono>
#include <utility>

#include "ktstr/catalog/table.h"
#include "ktstr/test.h"

namespace ktstr::catalog {
namespace {

using internal::OptionsRule;
using internal::ScenarioNote;
using internal::TestEntry;

constexpr size_t kCount = CountEntries();
static_assert(kCount == 14 + 81, "the catalogue has 81 beside the curated 14");

struct Row {
  const Category* category = nullptr;
  const Entry* entry = nullptr;
};

constexpr Row RowAt(size_t index) {
  for (const Category& category : kCategories) {
    if (index < category.size) return {&category, category.begin + index};
    index -= category.size;
  }
  return {};
}

constexpr ScenarioNote NoteOf(const Row& row) {
  return {.category = row.category->name,
          .description = row.entry->description,
          .required_flags = row.entry->required_flags,
          .excluded_flags = row.entry->excluded_flags};
}

// A base run has eight CPUs in two LLCs, which is enough for every scenario;
// two nodes where one needs them.
constexpr TestOptions OptionsOf(const Entry& entry) {
  TestOptions options{.topology = {.llcs = 2, .cores = 4},
                      .constraints = {.min_llcs = entry.needs.llcs,
                                      .min_cpus = entry.needs.cpus},
                      .memory_mib = 512,
                      .duration = std::chrono::seconds(2),
                      .checks = {}};
  if (entry.needs.nodes > 1) {
    options.topology.numa_nodes = entry.needs.nodes;
    options.constraints.min_numa_nodes = entry.needs.nodes;
    options.constraints.max_numa_nodes = 8;
  }
  return options;
}

template <size_t I>
absl::StatusOr<Verdict> Body(const Context& ctx) {
  return Play(ctx, *RowAt(I).entry);
}

template <size_t... I>
constexpr std::array<ScenarioNote, kCount> MakeNotes(
    std::index_sequence<I...>) {
  return {NoteOf(RowAt(I))...};
}

constexpr auto kNotes = MakeNotes(std::make_index_sequence<kCount>());

template <size_t... I>
constexpr std::array<TestEntry, kCount> MakeTests(std::index_sequence<I...>) {
  return {TestEntry{.name = RowAt(I).entry->name,
                    .file = "ktstr/catalog/table.h",
                    .line = 0,
                    .options = OptionsOf(*RowAt(I).entry),
                    .body = &Body<I>,
                    .scenario = &kNotes[I]}...};
}

constexpr auto kTests = MakeTests(std::make_index_sequence<kCount>());

constexpr bool AllKeepTheRules() {
  for (const TestEntry& test : kTests) {
    if (internal::FirstBrokenRule(test.options) != OptionsRule::kNone ||
        !internal::IsTestName(test.name)) {
      return false;
    }
  }
  return true;
}
static_assert(AllKeepTheRules());

template <size_t... I>
constexpr std::array<const TestEntry*, kCount> PointersTo(
    std::index_sequence<I...>) {
  return {&kTests[I]...};
}

// As KTSTR_TEST does, all at once.
[[gnu::used,
  gnu::section("ktstr_tests")]] const std::array<const TestEntry*, kCount>
    kListed = PointersTo(std::make_index_sequence<kCount>());

}  // namespace
}  // namespace ktstr::catalog
