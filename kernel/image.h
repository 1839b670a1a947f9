// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_IMAGE_H_
#define KTSTR_KERNEL_IMAGE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::kernel {

enum class ImageKind {
  kUnspecified = 0,
  kElf,      // vmlinux, 64-bit x86 executable
  kBzImage,  // setup header + compressed vmlinux
};

// Says what the bytes are by their headers alone.
//
// Trust:  any bytes.
// Errors: InvalidArgument "neither an x86-64 ELF vmlinux nor a bzImage", with
//         what was found (text, ELF of another machine, empty).
absl::StatusOr<ImageKind> RecogniseImage(absl::string_view bytes);

inline constexpr uint64_t kMaxVmlinuxBytes = uint64_t{1} << 30;

// The ELF vmlinux inside `bytes`: itself, or the unpacked payload of a bzImage
// (gzip, xz, lz4 legacy, zstd).
//
// Trust:  any bytes; the result is limited to `max_bytes`.
// Errors: as RecogniseImage(); InvalidArgument for a payload outside the file
//         or damaged; Unimplemented naming the compression (bzip2, lzma, lzo).
// Source: Documentation/arch/x86/boot.rst, payload_offset and payload_length.
absl::StatusOr<std::string> ExtractVmlinux(
    absl::string_view bytes, uint64_t max_bytes = kMaxVmlinuxBytes);

// A copy without debug sections (.debug_*, .rela.*): program headers with
// their contents, symbols, BTF and read-only data stay.
//
// Trust:  any bytes.
// Errors: InvalidArgument when headers or sections lie outside the file.
absl::StatusOr<std::string> StripDebug(absl::string_view elf);

// Whether StripDebug() would leave something out.
bool HasDebugSections(absl::string_view elf);

// The release of an uncompressed kernel ("6.12.117"), from its banner.
// NotFound when no banner is in the bytes.
absl::StatusOr<std::string> KernelRelease(absl::string_view elf);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_IMAGE_H_
