// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_BUILDER_H_
#define KTSTR_KERNEL_BUILDER_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/subprocess.h"
#include "kconfig/merge.h"
#include "kconfig/parse.h"
#include "kernel/metadata.h"
#include "kernel/source.h"
#include "kernel/toolchain.h"

namespace ktstr::kernel {

inline constexpr absl::string_view kBuildArch = "x86_64";

// Everything decided before the first byte is unpacked.
struct BuildPlan {
  KernelSource source;
  Toolchain toolchain;
  kconfig::MergedFragments fragments;
  std::string fragments_hash;
  std::string extra_fragment;  // as KernelMetadata has them
  std::string extra_fragment_hash;
  std::string key;
  int jobs = 1;
};

// The steps of a build, in the order in which they are called.
//
// Blocks:   each until its command has ended.
// Lifetime: borrows the plan and the descriptor.
// Errors:   those of RunMake(); FailedPrecondition when options did not
// survive.
class Builder {
 public:
  // `tree` gets the code, `staged` what a cache entry is made of.
  Builder(const BuildPlan& plan, std::string tree, std::string staged,
          int cancel_fd, std::function<void(absl::string_view line)> on_line)
      : plan_(plan),
        tree_(std::move(tree)),
        staged_(std::move(staged)),
        cancel_fd_(cancel_fd),
        on_line_(std::move(on_line)) {}

  absl::Status Unpack();
  absl::Status Configure();
  absl::Status Compile();
  // Two passes: the first makes the library and the objects, the second links
  // the programs again, static, so that they run in a guest without libraries.
  absl::Status BuildSchedulers();
  // Fills `staged`. The metadata lacks what only the caller knows: when, how
  // long, how many objects.
  absl::StatusOr<KernelMetadata> Stage();

 private:
  std::string ConfigPath() const;
  std::string VmlinuxPath() const;
  absl::Status Run(const std::string& what, CommandSpec command);
  absl::Status MakeKernel(const std::string& what, const std::string& target);
  absl::Status Make(const std::string& what,
                    const std::vector<std::string>& args);
  absl::Status CheckSurvival(const kconfig::Kconfig& config,
                             absl::string_view subject);
  absl::Status StageProgram(const std::string& from, absl::string_view name);

  const BuildPlan& plan_;
  const std::string tree_;
  const std::string staged_;
  const int cancel_fd_;
  const std::function<void(absl::string_view line)> on_line_;
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_BUILDER_H_
