// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KCONFIG_MERGE_H_
#define KTSTR_KCONFIG_MERGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "kconfig/parse.h"

namespace ktstr::kconfig {

// One reason to want some options: a file of kconfig/fragments.
struct Fragment {
  absl::string_view name;  // "sched_ext"
  absl::string_view text;
};

// What a kernel is built from.
struct MergedFragments {
  // One text for `make KCONFIG_ALLCONFIG=` or to append to a `.config`.
  std::string text;
  // The options that text asks for, "n" included.
  Kconfig requested;
};

// Joins fragments in the order given.
//
// Errors: InvalidArgument naming the fragment and line that does not parse, or
//         the option that two fragments want with different values.
absl::StatusOr<MergedFragments> MergeFragments(
    absl::Span<const Fragment> fragments);

// `merged` with a person's fragment on top, whose values win.
//
// Errors: InvalidArgument naming the line that does not parse, or the option
//         that something needs (kconfig/requirements.h) with what would be
//         lost.
absl::StatusOr<MergedFragments> OverlayFragment(MergedFragments merged,
                                                const Fragment& fragment);

// Hash of names, order and text: 8 hexadecimal digits. Two kernels of the same
// source with the same hash were asked for the same options.
std::string FragmentsHash(absl::Span<const Fragment> fragments);

}  // namespace ktstr::kconfig

#endif  // KTSTR_KCONFIG_MERGE_H_
