// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KCONFIG_EMBEDDED_H_
#define KTSTR_KCONFIG_EMBEDDED_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kconfig/parse.h"

namespace ktstr::kconfig {

// The text of the configuration a kernel carries (CONFIG_IKCONFIG).
//
// Trust:  `image` is any bytes; the unpacked text is limited to 16 MiB.
// Errors:
//   NotFound         "kernel has no embedded config (CONFIG_IKCONFIG)".
//   InvalidArgument  the marker is there and the gzip stream after it is bad.
// Source: kernel/configs.c: "IKCFG_ST" gzip stream "IKCFG_ED".
absl::StatusOr<std::string> EmbeddedConfigText(absl::string_view image);

// The same from an uncompressed kernel (ELF vmlinux) on disk, parsed. The path
// is in every error. A bzImage hides its configuration: extract it first
// (kernel/image.h).
absl::StatusOr<Kconfig> ConfigOfVmlinux(const std::string& path);

}  // namespace ktstr::kconfig

#endif  // KTSTR_KCONFIG_EMBEDDED_H_
