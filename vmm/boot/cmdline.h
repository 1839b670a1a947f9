// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_BOOT_CMDLINE_H_
#define KTSTR_VMM_BOOT_CMDLINE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::vmm {

// A kernel command line under construction: arguments joined by one space.
class Cmdline {
 public:
  // Appends one or several arguments. Empty text adds nothing.
  Cmdline& Add(absl::string_view arguments);

  // The same for the kernel alone: before a "--", after which all is init's.
  Cmdline& AddForKernel(absl::string_view arguments);

  // InvalidArgument when the text holds a byte the kernel cannot take (NUL or
  // line end).
  absl::StatusOr<std::string> Build() const;

 private:
  std::string text_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_BOOT_CMDLINE_H_
