// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_DECOMPRESS_H_
#define KTSTR_KERNEL_DECOMPRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::kernel {

// Unpacks a kernel payload: gzip, xz, lz4 (legacy frame) or zstd, told apart by
// their magic numbers. Bytes after the end of the stream (the kernel appends
// the unpacked size) are ignored.
//
// Trust:  any bytes; at most `max_bytes` come out.
// Errors:
//   InvalidArgument    unknown format, damaged or cut stream.
//   Unimplemented      bzip2, lzma and lzo, named.
//   ResourceExhausted  more than `max_bytes`.
// Source: lib/decompress.c of the kernel for the magic numbers.
absl::StatusOr<std::string> Decompress(absl::string_view packed,
                                       uint64_t max_bytes);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_DECOMPRESS_H_
