// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_METADATA_H_
#define KTSTR_KERNEL_METADATA_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace ktstr::kernel {

// What is known about a cached kernel; the content of metadata.json.
struct KernelMetadata {
  std::string version;         // "6.12.117"
  std::string source;          // "tarball", "git", "local"
  std::string source_package;  // "linux-source-6.12 6.12.117-1"
  bool is_dirty = false;       // from a tree that is in no repository so
  std::string arch;            // "x86_64"
  std::string toolchain;       // "gcc 12"
  std::string config_hash;     // hash of the final .config, 8 digits
  std::string fragments_hash;  // kconfig::FragmentsHash()
  // A person's options on top of ours: name and hash, or both empty.
  std::string extra_fragment;
  std::string extra_fragment_hash;
  absl::Time built_at;        // to the second
  absl::Duration build_time;  // to the millisecond
  int64_t objects = 0;        // lines of compile output, the next estimate
  uint64_t image_bytes = 0;   // size of vmlinux; a shorter file is truncated
  std::string image_sha256;
};

// Shape: one JSON object; unknown keys are ignored, so that an older program
//        reads entries of a newer one.
// Errors: InvalidArgument naming the key that is missing or of another type.
absl::StatusOr<KernelMetadata> ParseKernelMetadata(absl::string_view text);
std::string FormatKernelMetadata(const KernelMetadata& metadata);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_METADATA_H_
