// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/shell_request.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/elf_libraries.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "gauntlet/preset.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/include_files.h"
#include "ktstrctl/submitted_kernel.h"
#include "model/guest_layout.h"
#include "model/topology.h"
#include "proto/shells.pb.h"

namespace ktstr::ktstrctl {
namespace {

constexpr int64_t kMinMemoryMib = 128;
constexpr int64_t kMaxMemoryMib = 1 << 20;
// As for tests: what a guest gets that does not ask for more.
constexpr int64_t kMemoryPerCpuMib = 64;
constexpr int64_t kDefaultMemoryMib = 256;
// Longer file names than artifacts may have.
constexpr size_t kMaxArtifactName = 200;

std::string EnvOr(const char* name, const char* otherwise) {
  const char* value = getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

absl::StatusOr<Topology> ReadTopology(const std::string& text) {
  // Only names of presets have a hyphen.
  if (!absl::StrContains(text, '-')) {
    absl::StatusOr<Topology> topology = Topology::Parse(text);
    if (topology.ok()) return topology;
    return absl::InvalidArgumentError(
        absl::StrCat("--topology ", text, ": ", topology.status().message()));
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<gauntlet::Preset> presets,
                        gauntlet::FindPresets({text}));
  return presets[0].topology;
}

absl::StatusOr<int64_t> MemoryMib(const ShellOptions& options, int cpus) {
  const int64_t memory_mib = options.memory_mib.value_or(
      std::max(cpus * kMemoryPerCpuMib, kDefaultMemoryMib));
  if (memory_mib < kMinMemoryMib || memory_mib > kMaxMemoryMib) {
    return absl::InvalidArgumentError(
        absl::StrCat("--memory ", memory_mib, " is not between ", kMinMemoryMib,
                     " and ", kMaxMemoryMib, " MiB"));
  }
  return memory_mib;
}

absl::StatusOr<std::string> FindBusybox(const std::string& search_path) {
  std::vector<std::string> dirs =
      absl::StrSplit(search_path, ':', absl::SkipEmpty());
  dirs.insert(dirs.end(), {"/bin", "/usr/bin"});
  for (const std::string& dir : dirs) {
    std::string path = JoinPath(dir, "busybox");
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return absl::InvalidArgumentError(
      "busybox, which a shell runs in, is not installed here (Debian: apt-get "
      "install busybox-static)");
}

absl::Status AddFile(const IncludedFile& file, PreparedShell& shell) {
  v1::GuestFile& wanted = *shell.request->add_files();
  std::string name(Basename(file.guest_path));
  if (name.size() > kMaxArtifactName) name = "file";
  ABSL_ASSIGN_OR_RETURN(*wanted.mutable_content(),
                        shell.artifacts.Add(file.host_path, name));
  wanted.set_guest_path(file.guest_path);
  wanted.set_is_executable(file.is_executable);
  return absl::OkStatus();
}

absl::Status AddFiles(const ShellOptions& options, PreparedShell& shell) {
  const std::string search_path = EnvOr("PATH", "");
  ABSL_ASSIGN_OR_RETURN(std::string busybox, FindBusybox(search_path));
  std::vector<IncludedFile> files = {{.host_path = busybox,
                                      .guest_path = kGuestBusyboxPath,
                                      .is_executable = true}};
  // None for the static one that is meant to be used.
  ABSL_ASSIGN_OR_RETURN(std::vector<ElfLibrary> libraries,
                        ElfLibrariesOf(busybox));
  for (const ElfLibrary& library : libraries) {
    files.push_back({library.host_path, library.guest_path, true});
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<IncludedFile> included,
                        CollectIncludeFiles(options.includes, search_path));
  for (IncludedFile& file : included) {
    bool is_known = std::any_of(files.begin(), files.end(),
                                [&file](const IncludedFile& known) {
                                  return known.guest_path == file.guest_path;
                                });
    if (!is_known) files.push_back(std::move(file));
  }
  for (const IncludedFile& file : files) {
    ABSL_RETURN_IF_ERROR(AddFile(file, shell));
  }
  return absl::OkStatus();
}

absl::Status AddKernel(const ShellOptions& options, PreparedShell& shell) {
  ABSL_ASSIGN_OR_RETURN(kernel::KernelCache cache, kernel::KernelCache::Open());
  ABSL_ASSIGN_OR_RETURN(kernel::ResolvedKernel kernel,
                        kernel::ResolveKernel(options.kernel, cache));
  ABSL_ASSIGN_OR_RETURN(v1::KernelSpec spec,
                        PrepareKernel(kernel, cache, shell.artifacts));
  *shell.request->mutable_kernel() = std::move(*spec.mutable_image());
  *shell.request->mutable_kernel_modules() = std::move(*spec.mutable_modules());
  return absl::OkStatus();
}

}  // namespace

PreparedShell::PreparedShell()
    : request(std::make_unique<v1::ShellRequest>()) {}
PreparedShell::PreparedShell(PreparedShell&&) = default;
PreparedShell::~PreparedShell() = default;

absl::StatusOr<PreparedShell> PrepareShell(const ShellOptions& options) {
  PreparedShell shell;
  v1::ShellRequest& request = *shell.request;
  if (options.command.has_value() && options.command->empty()) {
    return absl::InvalidArgumentError("--exec needs a command");
  }
  if (!options.host_id.empty() && options.coordinator.empty()) {
    return absl::InvalidArgumentError(
        "--host needs a --coordinator: without one this machine is the only "
        "host");
  }
  ABSL_ASSIGN_OR_RETURN(Topology topology, ReadTopology(options.topology));
  ABSL_ASSIGN_OR_RETURN(int64_t memory_mib,
                        MemoryMib(options, topology.cpus()));
  ABSL_RETURN_IF_ERROR(AddFiles(options, shell));
  ABSL_RETURN_IF_ERROR(AddKernel(options, shell));
  request.set_host_id(options.host_id);
  request.set_topology(topology.ToString());
  request.set_memory_mib(memory_mib);
  request.set_wants_console(options.wants_console);
  v1::ShellStart& start = *request.mutable_start();
  start.set_topology(topology.ToString());
  if (options.command.has_value()) {
    start.set_command(*options.command);
  } else {
    start.set_term(EnvOr("TERM", "linux"));
    start.set_colorterm(EnvOr("COLORTERM", ""));
  }
  return shell;
}

}  // namespace ktstr::ktstrctl
