// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/merge.h"

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "kconfig/verify.h"

namespace ktstr::kconfig {

absl::StatusOr<MergedFragments> MergeFragments(
    absl::Span<const Fragment> fragments) {
  MergedFragments merged;
  std::map<std::string, absl::string_view> owner;
  for (const Fragment& fragment : fragments) {
    absl::StatusOr<Kconfig> config = Kconfig::Parse(fragment.text);
    ABSL_RETURN_IF_ERROR(
        Annotate(config.status(), absl::StrCat("fragment ", fragment.name)));
    for (const auto& [option, value] : config->options()) {
      auto [it, is_first] = owner.emplace(option, fragment.name);
      if (!is_first && merged.requested.Get(option) != value) {
        return absl::InvalidArgumentError(
            absl::StrCat("CONFIG_", option, ": fragment ", it->second,
                         " wants ", merged.requested.Get(option), ", fragment ",
                         fragment.name, " wants ", value));
      }
      merged.requested.Set(option, value);
    }
    absl::StrAppend(&merged.text, "# fragment ", fragment.name, "\n",
                    fragment.text, "\n");
  }
  return merged;
}

absl::StatusOr<MergedFragments> OverlayFragment(MergedFragments merged,
                                                const Fragment& fragment) {
  absl::StatusOr<Kconfig> config = Kconfig::Parse(fragment.text);
  ABSL_RETURN_IF_ERROR(
      Annotate(config.status(), absl::StrCat("fragment ", fragment.name)));
  for (const auto& [option, value] : config->options()) {
    merged.requested.Set(option, value);
  }
  for (Requirement requirement : AllRequirements()) {
    for (const MissingOption& missing :
         MissingFor(requirement, merged.requested)) {
      // What nobody asked for is the configuration's own business.
      if (!config->options().contains(missing.option)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("fragment ", fragment.name, ": ", missing.ToString()));
    }
  }
  absl::StrAppend(&merged.text, "# fragment ", fragment.name, "\n",
                  fragment.text, "\n");
  return merged;
}

std::string FragmentsHash(absl::Span<const Fragment> fragments) {
  std::string all;
  for (const Fragment& fragment : fragments) {
    absl::StrAppend(&all, fragment.name, ":", fragment.text.size(), ":",
                    fragment.text);
  }
  return Sha256Hex(all).substr(0, 8);
}

}  // namespace ktstr::kconfig
