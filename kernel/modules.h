// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_MODULES_H_
#define KTSTR_KERNEL_MODULES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"

namespace ktstr::kernel {

// A loadable module as a guest's init can load it.
struct KernelModule {
  std::string name;  // "vmw_vsock_virtio_transport"
  std::string path;  // absolute, uncompressed ELF
};

// The modules that a guest on `kernel` must load to see the machine's devices
// (virtio-mmio, virtio-vsock), each behind those it depends on. Empty for a
// kernel that has them built in.
//
// They are those of modules.dep in the first lib/modules/RELEASE that exists:
// beside the image (where a package was unpacked), or below
// `options.filesystem_root`. Compressed ones are unpacked once into `cache`.
// Where neither configuration nor module directory is known, the drivers count
// as built in; the guest will tell.
//
// Trust:  a package's files: sizes are bounded, paths stay in the directory.
// Errors:
//   FailedPrecondition  the configuration says "module" and no module is found;
//                       says where it was looked for and what makes it there.
//   and Decompress()'s, with the file's name.
// Source: modules.dep(5); Documentation/kbuild/kbuild.rst, modules.builtin.
absl::StatusOr<std::vector<KernelModule>> FindDeviceModules(
    const ResolvedKernel& kernel, const KernelCache& cache,
    const ResolveOptions& options = {});

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_MODULES_H_
