// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/builder.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "kconfig/embedded.h"
#include "kconfig/verify.h"
#include "kernel/image.h"
#include "kernel/make_runner.h"

namespace ktstr::kernel {
namespace {

constexpr absl::string_view kSchedulers[] = {"scx_simple", "scx_qmap"};
constexpr char kBzImage[] = "arch/x86/boot/bzImage";

// Same on every machine, so that two builds of one key differ in nothing.
// A caller's own build variables must not reach the kernel's.
constexpr const char* kEnvironment[] = {
    "KBUILD_BUILD_USER=ktstr",
    "KBUILD_BUILD_HOST=ktstr",
    "LC_ALL=C",
    "ARCH=x86_64",
    "CROSS_COMPILE=",
    "KBUILD_OUTPUT=",
    "MAKEFLAGS=",
    "MFLAGS=",
    "MAKELEVEL=",
};

}  // namespace

std::string Builder::ConfigPath() const { return JoinPath(tree_, ".config"); }

std::string Builder::VmlinuxPath() const { return JoinPath(tree_, "vmlinux"); }

absl::Status Builder::Unpack() {
  ABSL_RETURN_IF_ERROR(MakeDirs(tree_));
  ABSL_RETURN_IF_ERROR(MakeDirs(staged_));
  CommandSpec command;
  command.argv = plan_.source.FillCommand(tree_);
  return Run("unpacking " + plan_.source.name, std::move(command));
}

absl::Status Builder::Configure() {
  ABSL_RETURN_IF_ERROR(MakeKernel("configuring", "tinyconfig"));
  ABSL_ASSIGN_OR_RETURN(std::string base, ReadFile(ConfigPath()));
  // Appended, because of several members of a choice the last one wins.
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(
      ConfigPath(), absl::StrCat(base, "\n", plan_.fragments.text)));
  ABSL_RETURN_IF_ERROR(MakeKernel("configuring", "olddefconfig"));
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(ConfigPath()));
  ABSL_ASSIGN_OR_RETURN(kconfig::Kconfig config, kconfig::Kconfig::Parse(text));
  return CheckSurvival(config, "the kernel's configuration");
}

absl::Status Builder::Compile() {
  ABSL_RETURN_IF_ERROR(MakeKernel("compiling the kernel", "bzImage"));
  ABSL_ASSIGN_OR_RETURN(kconfig::Kconfig config,
                        kconfig::ConfigOfVmlinux(VmlinuxPath()));
  return CheckSurvival(config, "the compiled kernel");
}

absl::Status Builder::BuildSchedulers() {
  std::string dir = JoinPath(tree_, "tools/sched_ext");
  const std::string& suffix = plan_.toolchain.llvm_suffix;
  std::vector<std::string> args = {"-C",
                                   dir,
                                   "CLANG=clang" + suffix,
                                   "LLC=llc" + suffix,
                                   "LLVM_STRIP=llvm-strip" + suffix,
                                   "VMLINUX_BTF=" + VmlinuxPath()};
  for (absl::string_view name : kSchedulers) args.emplace_back(name);
  ABSL_RETURN_IF_ERROR(Make("building sched_ext schedulers", args));
  std::string programs = JoinPath(dir, "build/bin");
  ABSL_RETURN_IF_ERROR(RemoveTree(programs));
  ABSL_RETURN_IF_ERROR(MakeDirs(programs));
  args.push_back("LDFLAGS=-static -lelf -lz -lpthread");
  ABSL_RETURN_IF_ERROR(Make("linking sched_ext schedulers", args));
  for (absl::string_view name : kSchedulers) {
    ABSL_RETURN_IF_ERROR(StageProgram(JoinPath(programs, name), name));
  }
  return absl::OkStatus();
}

absl::StatusOr<KernelMetadata> Builder::Stage() {
  ABSL_ASSIGN_OR_RETURN(std::string elf, ReadFile(VmlinuxPath()));
  ABSL_ASSIGN_OR_RETURN(std::string stripped, StripDebug(elf));
  ABSL_RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(staged_, "vmlinux"), stripped));
  ABSL_ASSIGN_OR_RETURN(std::string packed,
                        ReadFile(JoinPath(tree_, kBzImage)));
  ABSL_RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(staged_, "bzImage"), packed));
  ABSL_ASSIGN_OR_RETURN(std::string config, ReadFile(ConfigPath()));
  ABSL_RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(staged_, "config"), config));
  KernelMetadata metadata;
  ABSL_ASSIGN_OR_RETURN(metadata.version, KernelRelease(stripped));
  metadata.source = plan_.source.kind;
  metadata.source_package =
      absl::StrCat(plan_.source.name, " ", plan_.source.identity,
                   plan_.source.trust.empty() ? "" : ", ", plan_.source.trust);
  metadata.is_dirty = plan_.source.is_dirty;
  metadata.arch = std::string(kBuildArch);
  metadata.toolchain = plan_.toolchain.compiler;
  metadata.config_hash = Sha256Hex(config).substr(0, 8);
  metadata.fragments_hash = plan_.fragments_hash;
  metadata.extra_fragment = plan_.extra_fragment;
  metadata.extra_fragment_hash = plan_.extra_fragment_hash;
  return metadata;
}

absl::Status Builder::Run(const std::string& what, CommandSpec command) {
  command.extra_env.insert(command.extra_env.end(), std::begin(kEnvironment),
                           std::end(kEnvironment));
  return RunMake({.command = std::move(command),
                  .what = what,
                  .cancel_fd = cancel_fd_,
                  .on_line = on_line_});
}

absl::Status Builder::MakeKernel(const std::string& what,
                                 const std::string& target) {
  std::vector<std::string> args = {target};
  if (plan_.toolchain.has_ccache) {
    args.insert(args.end(), {"CC=ccache gcc", "HOSTCC=ccache gcc"});
  }
  return Make(what, args);
}

absl::Status Builder::Make(const std::string& what,
                           const std::vector<std::string>& args) {
  CommandSpec make;
  make.argv = {"make", absl::StrCat("-j", plan_.jobs)};
  make.argv.insert(make.argv.end(), args.begin(), args.end());
  make.working_dir = tree_;
  return Run(what, std::move(make));
}

absl::Status Builder::CheckSurvival(const kconfig::Kconfig& config,
                                    absl::string_view subject) {
  return kconfig::ToStatus(absl::StrCat(subject, " (", plan_.source.name, ")"),
                           kconfig::Verify(plan_.fragments.requested, config));
}

absl::Status Builder::StageProgram(const std::string& from,
                                   absl::string_view name) {
  ABSL_ASSIGN_OR_RETURN(std::string bytes, ReadFile(from));
  std::string dir = JoinPath(staged_, "schedulers");
  ABSL_RETURN_IF_ERROR(MakeDirs(dir));
  return WriteFileAtomically(JoinPath(dir, name), bytes, 0755);
}

}  // namespace ktstr::kernel
