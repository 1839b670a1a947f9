// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Source code and tools that look like a kernel's to the builder, and take
// milliseconds.
#ifndef KTSTR_KERNEL_TESTING_STAND_IN_KERNEL_H_
#define KTSTR_KERNEL_TESTING_STAND_IN_KERNEL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::kernel {

// make, gcc and what else a build needs, below DIR/bin.
class StandInTools {
 public:
  explicit StandInTools(std::string dir);

  // A value of $PATH with these first.
  const std::string& path() const { return path_; }

  // Puts a program among them.
  void Program(const std::string& name, absl::string_view script);
  void RemoveProgram(const std::string& name);
  // What make does besides: shell assignments of drop (a pattern of options
  // that olddefconfig loses), during_config and during_compile (commands) and
  // fail_schedulers (not empty: it does).
  void Behave(absl::string_view assignments);
  // The kernel that make "compiles", whatever the tree: with this configuration
  // in it, by default that of the fragments, and this release.
  void PrepareVmlinux(const std::string& config,
                      const std::string& release = "6.12.117");
  void PrepareRelease(const std::string& release);
  // How often a kernel was compiled so far.
  int compilations() const;

 private:
  std::string Bin(absl::string_view name) const;

  const std::string dir_;
  std::string path_;
};

// A source tree below `dir` with the landmarks of a kernel's, of that release.
void WriteStandInTree(const std::string& dir, absl::string_view version);

// The same packed as FILE.tar.xz or FILE.tar.gz, in a directory `top`.
void PackStandInTree(const std::string& file, const std::string& top,
                     absl::string_view version);

// Runs a command that must succeed; its standard output.
std::string RunOrDie(const std::vector<std::string>& argv);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_TESTING_STAND_IN_KERNEL_H_
