// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_PRINTABLE_H_
#define KTSTR_GUESTD_PRINTABLE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::guestd {

// At most `max_bytes` of `text` as one line of printable ASCII, fit for a proto
// string: line feeds and tabs are spaces, anything else that cannot be printed
// is '?', surrounding space is dropped.
std::string PrintableLine(absl::string_view text, size_t max_bytes);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_PRINTABLE_H_
