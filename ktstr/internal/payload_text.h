// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_PAYLOAD_TEXT_H_
#define KTSTR_KTSTR_INTERNAL_PAYLOAD_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::internal {

// With U+FFFD for every byte that is no part of well-formed UTF-8 (RFC 3629).
std::string ReplaceInvalidUtf8(absl::string_view bytes);

// At most the last `size` bytes of UTF-8, from the beginning of a character on,
// without white space around them.
std::string EndOf(absl::string_view text, size_t size);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_PAYLOAD_TEXT_H_
