// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_CACHE_KEY_H_
#define KTSTR_KERNEL_CACHE_KEY_H_

#include "absl/strings/string_view.h"

namespace ktstr::kernel {

// Whether `key` may name a cache entry: letters, digits, '.', '_', '+', '-',
// not starting with a dot, at most 200 characters.
bool IsCacheKey(absl::string_view key);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_CACHE_KEY_H_
