// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/modules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::kernel {
namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{16} << 20;
constexpr uint64_t kMaxModuleBytes = uint64_t{64} << 20;

struct Driver {
  absl::string_view option;
  absl::string_view module;
};
// What the machine has and a guest cannot do without.
constexpr Driver kDrivers[] = {
    {"VIRTIO_MMIO", "virtio_mmio"},
    {"VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport"},
};

// "kernel/net/vmw_vsock/vsock.ko.xz" -> "vsock".
std::string NameOf(absl::string_view path) {
  absl::string_view file = Basename(path);
  return absl::StrReplaceAll(file.substr(0, file.find(".ko")), {{"-", "_"}});
}

bool IsPlain(absl::string_view path) {
  if (absl::StartsWith(path, "/")) return false;
  std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return std::none_of(parts.begin(), parts.end(), [](absl::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
}

// What depmod wrote into lib/modules/RELEASE.
class ModuleDirectory {
 public:
  static absl::StatusOr<ModuleDirectory> Read(const std::string& dir) {
    ModuleDirectory directory(dir);
    ABSL_ASSIGN_OR_RETURN(
        std::string dep,
        ReadFile(JoinPath(dir, "modules.dep"), kMaxIndexBytes));
    for (absl::string_view line : absl::StrSplit(dep, '\n')) {
      std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(line, absl::MaxSplits(':', 1));
      if (!IsPlain(parts.first)) continue;
      Entry& entry = directory.entries_[NameOf(parts.first)];
      entry.path = std::string(parts.first);
      for (absl::string_view needed :
           absl::StrSplit(parts.second, ' ', absl::SkipWhitespace())) {
        if (IsPlain(needed)) entry.needs.emplace_back(needed);
      }
    }
    return directory;
  }

  const std::string& path() const { return path_; }

  // Files below the directory, in loading order; empty for an unknown name. The
  // index lists what a module needs, all of it, last things first.
  std::vector<std::string> InLoadingOrder(absl::string_view name) const {
    auto found = entries_.find(std::string(name));
    if (found == entries_.end()) return {};
    std::vector<std::string> files(found->second.needs.rbegin(),
                                   found->second.needs.rend());
    files.push_back(found->second.path);
    return files;
  }

 private:
  struct Entry {
    std::string path;
    std::vector<std::string> needs;
  };

  explicit ModuleDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::map<std::string, Entry> entries_;
};

// Where the modules of the image may lie, nearest first.
std::vector<std::string> Candidates(const ResolvedKernel& kernel,
                                    const ResolveOptions& options) {
  if (kernel.version.empty()) return {};
  const std::string dir(Dirname(kernel.origin));
  std::vector<std::string> candidates;
  if (Basename(dir) == kernel.version) candidates.push_back(dir);
  for (const std::string& root :
       {std::string(Dirname(dir)), options.filesystem_root}) {
    for (const char* lib : {"lib/modules", "usr/lib/modules"}) {
      candidates.push_back(JoinPath(JoinPath(root, lib), kernel.version));
    }
  }
  return candidates;
}

absl::Status NoModules(const ResolvedKernel& kernel, const Driver& driver,
                       const std::vector<std::string>& candidates) {
  return absl::FailedPreconditionError(absl::StrCat(
      "kernel ", kernel.origin, " has CONFIG_", driver.option,
      " as a module, and ", driver.module,
      " is in no modules.dep: looked for it in ",
      candidates.empty() ? "no directory, as the image names no release"
                         : absl::StrJoin(candidates, ", "),
      "; installing the kernel's package makes it, or for an unpacked one "
      "`depmod -b ROOT ",
      kernel.version, "`"));
}

absl::StatusOr<std::optional<ModuleDirectory>> FindDirectory(
    const std::vector<std::string>& candidates) {
  for (const std::string& dir : candidates) {
    if (!FileExists(JoinPath(dir, "modules.dep"))) continue;
    return ModuleDirectory::Read(dir);
  }
  return std::nullopt;
}

// The module itself, or its uncompressed copy in the cache.
absl::StatusOr<std::string> Uncompressed(const std::string& path,
                                         const KernelCache& cache) {
  ABSL_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kMaxModuleBytes));
  if (absl::StartsWith(bytes,
                       "\x7f"
                       "ELF"))
    return path;
  absl::StatusOr<std::string> unpacked = cache.UnpackedModule(bytes);
  ABSL_RETURN_IF_ERROR(Annotate(unpacked.status(), path));
  return unpacked;
}

}  // namespace

absl::StatusOr<std::vector<KernelModule>> FindDeviceModules(
    const ResolvedKernel& kernel, const KernelCache& cache,
    const ResolveOptions& options) {
  const std::vector<std::string> candidates = Candidates(kernel, options);
  ABSL_ASSIGN_OR_RETURN(std::optional<ModuleDirectory> directory,
                        FindDirectory(candidates));
  std::vector<KernelModule> modules;
  std::set<std::string> seen;
  for (const Driver& driver : kDrivers) {
    if (kernel.config && kernel.config->Get(driver.option) != "m") continue;
    std::vector<std::string> files;
    if (directory) files = directory->InLoadingOrder(driver.module);
    if (files.empty() && kernel.config) {
      return NoModules(kernel, driver, candidates);
    }
    for (const std::string& file : files) {
      std::string name = NameOf(file);
      if (!seen.insert(name).second) continue;
      ABSL_ASSIGN_OR_RETURN(
          std::string path,
          Uncompressed(JoinPath(directory->path(), file), cache));
      modules.push_back({std::move(name), std::move(path)});
    }
  }
  return modules;
}

}  // namespace ktstr::kernel
