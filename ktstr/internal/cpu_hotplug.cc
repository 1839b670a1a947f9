// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/cpu_hotplug.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "ktstr/internal/bounded_call.h"

namespace ktstr::internal {
namespace {

class KernelCpuHotplug : public CpuHotplug {
 public:
  KernelCpuHotplug(absl::Duration timeout, std::string root)
      : timeout_(timeout), root_(std::move(root)) {}

  absl::Status SetOnline(int cpu, bool is_online) override {
    const std::string path = absl::StrCat(root_, "/cpu", cpu, "/online");
    if (!FileExists(path)) {
      return absl::NotFoundError(absl::StrCat("the kernel cannot switch CPU ",
                                              cpu, " on or off: there is no ",
                                              path));
    }
    return WriteBounded(path, is_online ? "1" : "0", timeout_);
  }

 private:
  const absl::Duration timeout_;
  const std::string root_;
};

}  // namespace

std::unique_ptr<CpuHotplug> MakeKernelCpuHotplug(absl::Duration timeout,
                                                 std::string root) {
  return std::make_unique<KernelCpuHotplug>(timeout, std::move(root));
}

}  // namespace ktstr::internal
