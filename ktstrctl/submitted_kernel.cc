// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/submitted_kernel.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "kconfig/verify.h"
#include "kernel/modules.h"

namespace ktstr::ktstrctl {
namespace {

using kconfig::MissingOption;
using kconfig::Requirement;

// By its configuration; an image that carries none names the types of
// sched_ext in its BTF or symbols when it has it.
absl::StatusOr<bool> HasSchedExt(const kernel::ResolvedKernel& kernel) {
  if (kernel.config) return kernel.config->IsBuiltIn("SCHED_CLASS_EXT");
  ABSL_ASSIGN_OR_RETURN(std::string image, ReadFile(kernel.vmlinux_path));
  return absl::StrContains(image, "sched_ext_ops");
}

// An image that does not say how it was configured is taken at its word.
absl::Status CheckGuestCanRun(const kernel::ResolvedKernel& kernel) {
  if (!kernel.config) return absl::OkStatus();
  std::vector<MissingOption> missing =
      kconfig::MissingFor(Requirement::kBoot, *kernel.config);
  for (MissingOption& option :
       kconfig::MissingFor(Requirement::kChannel, *kernel.config)) {
    missing.push_back(std::move(option));
  }
  return kconfig::ToStatus(absl::StrCat("kernel ", kernel.origin), missing);
}

}  // namespace

absl::StatusOr<v1::KernelSpec> PrepareKernel(
    const kernel::ResolvedKernel& kernel, const kernel::KernelCache& cache,
    Artifacts& artifacts) {
  ABSL_RETURN_IF_ERROR(CheckGuestCanRun(kernel));
  ABSL_ASSIGN_OR_RETURN(std::vector<kernel::KernelModule> modules,
                        kernel::FindDeviceModules(kernel, cache));
  v1::KernelSpec spec;
  spec.set_label(kernel.label);
  spec.set_version(kernel.version);
  ABSL_ASSIGN_OR_RETURN(*spec.mutable_image(),
                        artifacts.Add(kernel.vmlinux_path, "vmlinux"));
  for (const kernel::KernelModule& module : modules) {
    ABSL_ASSIGN_OR_RETURN(
        *spec.add_modules(),
        artifacts.Add(module.path, absl::StrCat(module.name, ".ko")));
  }
  ABSL_ASSIGN_OR_RETURN(bool has_sched_ext, HasSchedExt(kernel));
  spec.set_has_sched_ext(has_sched_ext);
  int hz = 0;
  if (kernel.config && absl::SimpleAtoi(kernel.config->Get("HZ"), &hz)) {
    spec.set_hz(hz);
  }
  return spec;
}

absl::Status CheckSchedExt(const kernel::ResolvedKernel& kernel,
                           const v1::KernelSpec& spec,
                           const std::string& scheduler) {
  if (spec.has_sched_ext()) return absl::OkStatus();
  std::string what = "CONFIG_SCHED_CLASS_EXT is not set";
  if (kernel.config) {
    for (const MissingOption& missing :
         kconfig::MissingFor(Requirement::kSchedExt, *kernel.config)) {
      if (missing.option == "SCHED_CLASS_EXT") what = missing.ToString();
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("kernel ", kernel.origin,
                                                 " cannot run scheduler ",
                                                 scheduler, ": ", what));
}

}  // namespace ktstr::ktstrctl
