// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_RESOLVE_H_
#define KTSTR_KERNEL_RESOLVE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kconfig/parse.h"
#include "kernel/cache.h"

namespace ktstr::kernel {

// A kernel that can be handed to a machine.
struct ResolvedKernel {
  std::string label;         // "kernel_6_12_117", distinct within one run
  std::string vmlinux_path;  // bootable ELF, absolute, without DWARF
  std::string origin;        // where it was found, for people
  std::string version;       // "6.12.117"; empty when the image does not say
  // The configuration the image carries (IKCONFIG), else that of a file beside
  // it: config-RELEASE as distributions install it, .config of a build tree.
  std::optional<kconfig::Kconfig> config;
  // Programs built from the same source (scx_simple, ...), absolute paths.
  std::vector<std::string> schedulers;
};

// Where to look; the defaults are this process's surroundings.
struct ResolveOptions {
  // Value of an environment variable, "" when unset. Blank counts as unset.
  std::function<std::string(const char* name)> getenv;
  std::string working_dir = ".";
  std::string filesystem_root = "/";  // for /boot and /lib/modules
  std::string running_release;        // uname -r when empty
};

// Finds the kernel that `spec` names (path, version, series, cache key), or
// without a spec discovers one in the order $KTSTR_TEST_KERNEL, $KTSTR_KERNEL,
// cache (newest built from this program's fragments), ./linux, ../linux,
// /lib/modules/RELEASE, /boot. Images that are not a bare vmlinux are unpacked
// once into the cache. Never builds.
//
// Errors:
//   InvalidArgument  the spec is malformed, or the file is no kernel.
//   NotFound         with what was searched and the command that helps:
//                    "kernel path X has no image: looked for vmlinux,
//                    arch/x86/boot/bzImage, bzImage".
//   Unimplemented    git and range forms, named.
//   DataLoss         the cache entry is corrupt.
absl::StatusOr<ResolvedKernel> ResolveKernel(
    absl::string_view spec, const KernelCache& cache,
    const ResolveOptions& options = {});

// Resolves each; empty `specs` means one discovery. The same label twice is
// InvalidArgument naming both specs.
absl::StatusOr<std::vector<ResolvedKernel>> ResolveKernels(
    const std::vector<std::string>& specs, const KernelCache& cache,
    const ResolveOptions& options = {});

// The path of a scheduler by name ("scx_simple") among those stored with the
// kernel. NotFound lists what there is.
absl::StatusOr<std::string> FindScheduler(const ResolvedKernel& kernel,
                                          absl::string_view name);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_RESOLVE_H_
