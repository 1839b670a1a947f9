// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KCONFIG_FRAGMENTS_H_
#define KTSTR_KCONFIG_FRAGMENTS_H_

#include "absl/types/span.h"
#include "kconfig/merge.h"

namespace ktstr::kconfig {

// The files of kconfig/fragments as they were when this program was built, in
// the order in which they are merged (base first). Live forever.
absl::Span<const Fragment> EmbeddedFragments();

}  // namespace ktstr::kconfig

#endif  // KTSTR_KCONFIG_FRAGMENTS_H_
