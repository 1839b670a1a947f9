// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/catalog/scenarios.h"

#include "absl/strings/str_cat.h"
#include "ktstr/catalog/table.h"

namespace ktstr::scenarios {

absl::StatusOr<Verdict> play(const Context& ctx, absl::string_view name) {
  for (const catalog::Category& category : catalog::kCategories) {
    for (size_t i = 0; i < category.size; ++i) {
      const catalog::Entry& entry = category.begin[i];
      if (name == absl::string_view(entry.name.data(), entry.name.size())) {
        return catalog::Play(ctx, entry);
      }
    }
  }
  return absl::NotFoundError(absl::StrCat("the catalogue has no scenario \"",
                                          name,
                                          "\"; `ktstrctl scenarios` lists it"));
}

#define KTSTR_CURATED_(name) \
  absl::StatusOr<Verdict> name(const Context& ctx) { return play(ctx, #name); }

KTSTR_CURATED_(steady)
KTSTR_CURATED_(steady_llc)
KTSTR_CURATED_(oversubscribed)
KTSTR_CURATED_(cpuset_apply)
KTSTR_CURATED_(cpuset_clear)
KTSTR_CURATED_(cpuset_resize)
KTSTR_CURATED_(cgroup_add)
KTSTR_CURATED_(cgroup_remove)
KTSTR_CURATED_(affinity_change)
KTSTR_CURATED_(affinity_pinned)
KTSTR_CURATED_(host_contention)
KTSTR_CURATED_(mixed_workloads)
KTSTR_CURATED_(nested_steady)
KTSTR_CURATED_(nested_task_move)

#undef KTSTR_CURATED_

}  // namespace ktstr::scenarios
