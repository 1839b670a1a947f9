// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/kernel_list.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "kconfig/fragments.h"
#include "kconfig/merge.h"
#include "kernel/build_many.h"
#include "kernel/kernel_org.h"
#include "kernel/spec.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/kernel_builds.h"
#include "ktstrctl/kernel_exit.h"
#include "ktstrctl/print.h"
#include "results/printable.h"
#include "results/table.h"

namespace ktstr::ktstrctl {
namespace {

using json = ::nlohmann::ordered_json;
using State = ::ktstr::kernel::ListedKernel::State;

// Whether the series of an entry has ended; nothing where nobody can say.
std::optional<bool> IsEol(const kernel::ListedKernel& listed,
                          const absl::StatusOr<kernel::ReleaseIndex>& index) {
  const kernel::KernelMetadata& metadata = listed.entry.metadata;
  auto version = kernel::KernelVersion::Parse(metadata.version);
  if (!index.ok() || !version.ok() || listed.state == State::kCorrupt) {
    return std::nullopt;
  }
  return index->IsEol(*version);
}

std::string Tags(const kernel::ListedKernel& listed,
                 const absl::StatusOr<kernel::ReleaseIndex>& index) {
  std::vector<std::string> tags = {std::string(StateName(listed.state))};
  if (IsEol(listed, index).value_or(false)) tags.push_back("EOL");
  if (listed.entry.metadata.is_dirty) tags.push_back("dirty tree");
  return absl::StrCat(absl::StrJoin(tags, ", "),
                      listed.problem.empty() ? "" : ": ", listed.problem);
}

void PrintTable(const std::vector<kernel::ListedKernel>& all,
                const absl::StatusOr<kernel::ReleaseIndex>& index) {
  results::TextTable table(
      {"KEY", "VERSION", "SOURCE", "ARCH", "BUILT", "STATE"});
  for (const kernel::ListedKernel& kernel : all) {
    const kernel::KernelMetadata& metadata = kernel.entry.metadata;
    table.AddRow({kernel.entry.key, metadata.version, metadata.source,
                  metadata.arch,
                  kernel.state == State::kCorrupt
                      ? ""
                      : absl::FormatTime("%Y-%m-%d %H:%M", metadata.built_at,
                                         absl::LocalTimeZone()),
                  Tags(kernel, index)});
  }
  Print(table.ToString());
}

// What the words in the last column mean, as far as they occur.
void PrintLegend(const std::vector<kernel::ListedKernel>& all,
                 const absl::StatusOr<kernel::ReleaseIndex>& index) {
  auto any = [&all](auto is_so) {
    return std::any_of(all.begin(), all.end(), is_so);
  };
  auto explain = [](const char* word, const char* meaning) {
    fprintf(stderr, "%s: %s\n", word, meaning);
  };
  using Kernel = const kernel::ListedKernel&;
  if (any([](Kernel kernel) { return kernel.state == State::kStale; })) {
    explain("stale", "built from other options than this program asks for");
  }
  if (any([](Kernel kernel) { return kernel.state == State::kCorrupt; })) {
    explain("corrupt", "cannot be used; `ktstrctl kernel clean` removes it");
  }
  if (any([](Kernel kernel) { return kernel.entry.metadata.is_dirty; })) {
    explain("dirty tree", "nobody can say what it was built from");
  }
  if (any([&](Kernel kernel) {
        return IsEol(kernel, index).value_or(false);
      })) {
    explain("EOL", "nobody maintains the series any more");
  }
  if (!index.ok() && !all.empty()) {
    fprintf(
        stderr,
        "ktstrctl: note: no kernel is marked EOL, since the list of "
        "releases cannot be had: %s\n",
        results::PrintableLine(std::string(index.status().message())).c_str());
  }
}

// "matches", "stale", or of an entry that does not say "untracked".
std::string KconfigStatus(const kernel::ListedKernel& listed) {
  if (listed.entry.metadata.fragments_hash.empty()) return "untracked";
  return listed.state == State::kStale ? "stale" : "matches";
}

absl::StatusOr<kernel::ReleaseIndex> GetIndex(
    const kernel::KernelCache& cache) {
  return kernel::KernelOrg(&cache, {.fetch_program = FetchProgram()}).Index();
}

}  // namespace

json EntryJson(const kernel::ListedKernel& listed) {
  const kernel::KernelEntry& entry = listed.entry;
  json out = {
      {"key", entry.key},
      {"state", std::string(kernel::StateName(listed.state))},
      {"problem", listed.problem.empty() ? json() : json(listed.problem)},
      {"dir", entry.dir}};
  if (listed.state == State::kCorrupt) {
    out["error_kind"] = listed.problem_kind;
    return out;
  }
  out["version"] = entry.metadata.version;
  out["source"] = entry.metadata.source;
  out["source_detail"] = entry.metadata.source_package;
  out["is_dirty"] = entry.metadata.is_dirty;
  out["arch"] = entry.metadata.arch;
  out["toolchain"] = entry.metadata.toolchain;
  out["config_hash"] = entry.metadata.config_hash;
  out["built_at"] = absl::FormatTime(
      "%Y-%m-%dT%H:%M:%SZ", entry.metadata.built_at, absl::UTCTimeZone());
  out["fragments_hash"] = entry.metadata.fragments_hash;
  out["extra_fragment"] = entry.metadata.extra_fragment.empty()
                              ? json()
                              : json(entry.metadata.extra_fragment);
  out["kconfig_status"] = KconfigStatus(listed);
  out["image_path"] = JoinPath(entry.dir, "bzImage");
  out["vmlinux"] = entry.vmlinux_path;
  out["schedulers"] = entry.schedulers;
  return out;
}

int ListKernels(bool is_json) {
  auto cache = kernel::KernelCache::Open();
  if (!cache.ok()) return Complain(cache.status(), ExitFor(cache.status()));
  auto listed = cache->List();
  if (!listed.ok()) return Complain(listed.status(), ExitFor(listed.status()));
  absl::StatusOr<kernel::ReleaseIndex> index = absl::NotFoundError("");
  if (!listed->empty()) index = GetIndex(*cache);
  if (!is_json) {
    PrintTable(*listed, index);
    PrintLegend(*listed, index);
    return kExitPassed;
  }
  json entries = json::array();
  for (const kernel::ListedKernel& kernel : *listed) {
    json entry = EntryJson(kernel);
    const std::optional<bool> is_eol = IsEol(kernel, index);
    entry["eol"] = is_eol ? json(*is_eol) : json();
    entries.push_back(std::move(entry));
  }
  const bool has_failed = !index.ok() && !listed->empty();
  PrintJson(
      {{"current_ktstr_kconfig_hash",
        kconfig::FragmentsHash(kconfig::EmbeddedFragments())},
       {"active_prefixes_fetch_error",
        has_failed ? json(std::string(index.status().message())) : json()},
       {"entries", std::move(entries)}});
  return kExitPassed;
}

int ListRange(const std::string& range, bool is_json) {
  auto spec = kernel::ParseKernelSpec(range);
  if (!spec.ok()) return Complain(spec.status(), ExitFor(spec.status()));
  if (spec->form != kernel::KernelSpec::Form::kRange) {
    return Complain(absl::InvalidArgumentError(absl::StrCat(
                        "--range ", range, ": A..B is accepted, two versions")),
                    kExitUsage);
  }
  auto cache = kernel::KernelCache::Open();
  if (!cache.ok()) return Complain(cache.status(), ExitFor(cache.status()));
  auto versions =
      kernel::ExpandSpecs(*cache, {.fetch_program = FetchProgram()}, {range});
  if (!versions.ok()) {
    return Complain(versions.status(), ExitFor(versions.status()));
  }
  if (is_json) {
    PrintJson(json(*versions));
    return kExitPassed;
  }
  for (const std::string& version : *versions) Print(version + "\n");
  return kExitPassed;
}

}  // namespace ktstr::ktstrctl
