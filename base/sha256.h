// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_SHA256_H_
#define KTSTR_BASE_SHA256_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr {

// SHA-256 as 64 lower-case hexadecimal digits: the name of every artifact.
std::string Sha256Hex(absl::string_view bytes);

// The same over a file's content, read in pieces.
absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path);

// Whether `text` has the form of such a name.
bool IsSha256Hex(absl::string_view text);

}  // namespace ktstr

#endif  // KTSTR_BASE_SHA256_H_
