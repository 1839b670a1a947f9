// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_image.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "hostd/initramfs.h"
#include "hostd/text.h"

namespace ktstr::hostd {
namespace {

constexpr int kMaxLibraries = 512;
constexpr int kMaxConfigFiles = 16;
constexpr int kMaxIncludeFiles = 1900;
// Each is an open file of this process.
constexpr int kMaxShellFiles = 2000;
constexpr size_t kMaxModuleNameBytes = 64;

// "vmw_vsock_virtio_transport.ko"
bool IsModuleFileName(absl::string_view name) {
  const bool is_short = name.size() <= kMaxModuleNameBytes;
  if (!absl::ConsumeSuffix(&name, ".ko") || name.empty()) return false;
  return is_short && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '-';
         });
}

class Collector {
 public:
  explicit Collector(ArtifactCache* cache) : cache_(cache) {}

  absl::Status Add(std::string guest_path,
                   const ktstr::v1::ArtifactRef& artifact, bool is_executable) {
    auto [known, is_new] = seen_.try_emplace(guest_path, artifact.sha256());
    if (!is_new) {
      if (known->second == artifact.sha256()) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(
          "two different files for the guest path ", PrintableText(guest_path),
          ": programs must use the same library there"));
    }
    ABSL_ASSIGN_OR_RETURN(HeldArtifact content,
                          FetchArtifact(artifact, cache_));
    files_.push_back(
        {std::move(guest_path), is_executable, std::move(content)});
    return absl::OkStatus();
  }

  using Files = google::protobuf::RepeatedPtrField<ktstr::v1::GuestFile>;

  absl::Status AddLibraries(const Files& libraries) {
    return AddFiles(libraries, "shared libraries", kMaxLibraries);
  }

  absl::Status AddFiles(const Files& files, absl::string_view what, int limit) {
    if (files.size() > limit) {
      return absl::InvalidArgumentError(
          absl::StrCat(files.size(), " ", what, "; at most ", limit));
    }
    for (const ktstr::v1::GuestFile& file : files) {
      ABSL_RETURN_IF_ERROR(CheckGuestFilePath(file.guest_path()));
      ABSL_RETURN_IF_ERROR(
          Add(file.guest_path(), file.content(), file.is_executable()));
    }
    return absl::OkStatus();
  }

  using Modules = google::protobuf::RepeatedPtrField<ktstr::v1::ArtifactRef>;

  absl::Status AddModules(const Modules& modules) {
    if (modules.size() > kMaxGuestModules) {
      return absl::InvalidArgumentError(absl::StrCat(
          modules.size(), " kernel modules; at most ", kMaxGuestModules));
    }
    for (const ktstr::v1::ArtifactRef& module : modules) {
      if (!IsModuleFileName(module.name())) {
        return absl::InvalidArgumentError(absl::StrCat(
            "kernel module named ", PrintableText(module.name(), 64),
            ": wanted is a file name of letters, digits, _ and - that ends in "
            ".ko"));
      }
      ABSL_RETURN_IF_ERROR(Add(JoinPath(kGuestModuleDir, module.name()), module,
                               /*is_executable=*/false));
    }
    return absl::OkStatus();
  }

  std::vector<GuestImageFile> Take() { return std::move(files_); }

 private:
  ArtifactCache* cache_;
  absl::flat_hash_map<std::string, std::string> seen_;
  std::vector<GuestImageFile> files_;
};

}  // namespace

absl::StatusOr<HeldArtifact> FetchArtifact(
    const ktstr::v1::ArtifactRef& artifact, ArtifactCache* cache) {
  auto held = cache->Get(artifact.sha256(), artifact.size_bytes());
  if (held.ok()) return held;
  return Annotate(held.status(),
                  absl::StrCat("fetch ", PrintableText(artifact.name(), 64)));
}

absl::StatusOr<std::vector<GuestImageFile>> FetchGuestFiles(
    const ktstr::v1::VariantSpec& variant, ArtifactCache* cache) {
  if (!variant.has_suite()) {
    return absl::InvalidArgumentError("the lease names no suite binary");
  }
  Collector collector(cache);
  ABSL_RETURN_IF_ERROR(collector.AddModules(variant.kernel().modules()));
  ABSL_RETURN_IF_ERROR(collector.Add(kGuestSuitePath, variant.suite(),
                                     /*is_executable=*/true));
  ABSL_RETURN_IF_ERROR(collector.AddLibraries(variant.suite_libraries()));
  ABSL_RETURN_IF_ERROR(collector.AddFiles(
      variant.include_files(), "files of the test", kMaxIncludeFiles));
  if (variant.scheduler().has_binary()) {
    ABSL_RETURN_IF_ERROR(collector.Add(kGuestSchedulerPath,
                                       variant.scheduler().binary(),
                                       /*is_executable=*/true));
    ABSL_RETURN_IF_ERROR(
        collector.AddLibraries(variant.scheduler().libraries()));
    ABSL_RETURN_IF_ERROR(collector.AddFiles(variant.scheduler().config_files(),
                                            "configuration files",
                                            kMaxConfigFiles));
  }
  return collector.Take();
}

absl::StatusOr<std::vector<GuestImageFile>> FetchShellFiles(
    const ktstr::v1::ShellRequest& request, ArtifactCache* cache) {
  Collector collector(cache);
  ABSL_RETURN_IF_ERROR(collector.AddModules(request.kernel_modules()));
  ABSL_RETURN_IF_ERROR(
      collector.AddFiles(request.files(), "files for a shell", kMaxShellFiles));
  std::vector<GuestImageFile> files = collector.Take();
  bool has_busybox =
      std::any_of(files.begin(), files.end(), [](const GuestImageFile& file) {
        return file.guest_path == kGuestBusyboxPath;
      });
  if (!has_busybox) {
    return absl::InvalidArgumentError(
        absl::StrCat("a shell needs ", kGuestBusyboxPath, " among its files"));
  }
  return files;
}

PackGuest MakePackGuest(std::string guestd, std::string cache_dir) {
  return [guestd = std::move(guestd), cache_dir = std::move(cache_dir)](
             const std::vector<GuestImageFile>& files)
             -> absl::StatusOr<std::vector<UniqueFd>> {
    ABSL_ASSIGN_OR_RETURN(std::string base_path,
                          BaseInitramfs(guestd, cache_dir));
    InitramfsTail tail;
    for (const GuestImageFile& file : files) {
      std::string host_path = file.content.path();
      if (file.guest_path == kGuestSuitePath) {
        tail.suite = host_path;
      } else if (file.guest_path == kGuestSchedulerPath) {
        tail.scheduler = host_path;
      } else if (Dirname(file.guest_path) == kGuestModuleDir) {
        tail.modules.push_back({host_path, file.guest_path});
      } else {
        tail.files.push_back({host_path, file.guest_path, file.is_executable});
      }
    }
    std::vector<UniqueFd> archives(2);
    ABSL_ASSIGN_OR_RETURN(archives[0], OpenFile(base_path, O_RDONLY));
    archives[1].Reset(memfd_create("initramfs-tail", MFD_CLOEXEC));
    if (!archives[1]) return absl::ErrnoToStatus(errno, "memfd_create");
    ABSL_RETURN_IF_ERROR(WriteInitramfsTail(tail, archives[1].get()));
    return archives;
  };
}

}  // namespace ktstr::hostd
