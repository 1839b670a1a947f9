// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <zlib.h>

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "kconfig/embedded.h"
#include "kernel/image.h"
#include "kernel/spec.h"

namespace ktstr::kernel {
namespace {

constexpr uint64_t kMaxImageBytes = uint64_t{2} << 30;
constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20;
// Where a source or build tree keeps its image; vmlinux needs no unpacking.
constexpr const char* kImageNames[] = {"vmlinux", "arch/x86/boot/bzImage",
                                       "bzImage"};

bool IsDirectory(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string Environment(const ResolveOptions& options, const char* name) {
  std::string value;
  if (options.getenv) {
    value = options.getenv(name);
  } else if (const char* text = ::getenv(name); text != nullptr) {
    value = text;
  }
  return std::string(absl::StripAsciiWhitespace(value));
}

std::string Canonical(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string canonical = real;
  free(real);
  return canonical;
}

// "path_BASENAME_HASH", distinct for two paths with one name.
std::string PathLabel(const std::string& canonical) {
  // SAFETY: zlib's interface is unsigned char; it only reads.
  uint32_t crc =
      crc32(0, reinterpret_cast<const unsigned char*>(canonical.data()),
            canonical.size());
  return SanitiseLabel(absl::StrCat("path_", Basename(canonical), "_",
                                    absl::StrFormat("%06x", crc & 0xFFFFFF)));
}

// The part of a key before its source.
absl::string_view KeyLabel(absl::string_view key) {
  for (absl::string_view source : {"-tarball-", "-git-"}) {
    size_t at = key.find(source);
    if (at != absl::string_view::npos) return key.substr(0, at);
  }
  return key;
}

std::string ImageIn(const std::string& dir) {
  for (const char* name : kImageNames) {
    std::string path = JoinPath(dir, name);
    if (FileExists(path) && !IsDirectory(path)) return path;
  }
  return "";
}

// Where the configuration of an image without its own may lie: as distributions
// install it, and as a build tree leaves it.
std::string ConfigBeside(const std::string& image, const std::string& release) {
  const std::string dir(Dirname(image));
  std::vector<std::string> candidates = {JoinPath(dir, ".config")};
  if (Basename(dir) == "boot" && Basename(Dirname(dir)) == "x86") {
    candidates.push_back(JoinPath(dir, "../../../.config"));
  }
  if (!release.empty()) {
    candidates.push_back(JoinPath(dir, "config-" + release));
    if (Basename(dir) == release) candidates.push_back(JoinPath(dir, "config"));
  }
  for (const std::string& path : candidates) {
    if (FileExists(path)) return path;
  }
  return "";
}

// Release and configuration as the image states them, or a file beside it.
absl::Status Describe(absl::string_view elf, ResolvedKernel& kernel) {
  if (auto release = KernelRelease(elf); release.ok()) {
    kernel.version = *std::move(release);
  }
  absl::StatusOr<std::string> text = kconfig::EmbeddedConfigText(elf);
  if (absl::IsNotFound(text.status())) {
    const std::string path = ConfigBeside(kernel.origin, kernel.version);
    if (path.empty()) return absl::OkStatus();
    text = ReadFile(path, kMaxConfigBytes);
    ABSL_RETURN_IF_ERROR(text.status());
    absl::StatusOr<kconfig::Kconfig> config = kconfig::Kconfig::Parse(*text);
    ABSL_RETURN_IF_ERROR(Annotate(config.status(), path));
    kernel.config = *std::move(config);
    return absl::OkStatus();
  }
  ABSL_RETURN_IF_ERROR(text.status());
  ABSL_ASSIGN_OR_RETURN(kernel.config, kconfig::Kconfig::Parse(*text));
  return absl::OkStatus();
}

absl::StatusOr<ResolvedKernel> FromImage(const std::string& path,
                                         const KernelCache& cache) {
  std::string canonical = Canonical(path);
  ResolvedKernel kernel;
  kernel.origin = canonical;
  kernel.label = PathLabel(canonical);
  kernel.vmlinux_path = canonical;
  ABSL_ASSIGN_OR_RETURN(std::string bytes, ReadFile(canonical, kMaxImageBytes));
  std::string context = absl::StrCat("kernel ", canonical);
  absl::StatusOr<ImageKind> kind = RecogniseImage(bytes);
  ABSL_RETURN_IF_ERROR(Annotate(kind.status(), context));
  if (*kind != ImageKind::kElf || HasDebugSections(bytes)) {
    absl::StatusOr<std::string> unpacked = cache.UnpackedImage(bytes);
    ABSL_RETURN_IF_ERROR(Annotate(unpacked.status(), context));
    kernel.vmlinux_path = *std::move(unpacked);
    ABSL_ASSIGN_OR_RETURN(bytes, ReadFile(kernel.vmlinux_path, kMaxImageBytes));
  }
  ABSL_RETURN_IF_ERROR(Annotate(Describe(bytes, kernel), context));
  return kernel;
}

absl::StatusOr<ResolvedKernel> FromEntry(const KernelEntry& entry) {
  ResolvedKernel kernel;
  std::string label(KeyLabel(entry.key));
  if (!entry.metadata.extra_fragment.empty()) {
    absl::StrAppend(&label, "_", entry.metadata.extra_fragment);
  }
  kernel.label = SanitiseLabel(label);
  kernel.vmlinux_path = entry.vmlinux_path;
  kernel.origin = absl::StrCat("cache entry ", entry.key);
  kernel.version = entry.metadata.version;
  kernel.schedulers = entry.schedulers;
  ABSL_ASSIGN_OR_RETURN(std::string text, ReadFile(entry.config_path));
  absl::StatusOr<kconfig::Kconfig> config = kconfig::Kconfig::Parse(text);
  ABSL_RETURN_IF_ERROR(Annotate(config.status(), entry.config_path));
  kernel.config = *std::move(config);
  return kernel;
}

absl::StatusOr<ResolvedKernel> FromPath(const KernelSpec& spec,
                                        const KernelCache& cache,
                                        const ResolveOptions& options) {
  std::string path = spec.path;
  if (!absl::StartsWith(path, "/")) path = JoinPath(options.working_dir, path);
  if (!FileExists(path)) {
    return absl::NotFoundError(
        absl::StrCat("kernel path ", spec.text, " does not exist"));
  }
  path = Canonical(path);
  if (!IsDirectory(path)) return FromImage(path, cache);
  if (Dirname(path) == cache.root()) {
    ABSL_ASSIGN_OR_RETURN(KernelEntry entry, cache.Find(Basename(path)));
    return FromEntry(entry);
  }
  std::string image = ImageIn(path);
  if (image.empty()) {
    return absl::NotFoundError(absl::StrCat("kernel path ", spec.text,
                                            " has no image: looked for ",
                                            absl::StrJoin(kImageNames, ", ")));
  }
  return FromImage(image, cache);
}

absl::StatusOr<ResolvedKernel> FromSpec(absl::string_view text,
                                        const KernelCache& cache,
                                        const ResolveOptions& options) {
  ABSL_ASSIGN_OR_RETURN(KernelSpec spec, ParseKernelSpec(text));
  absl::StatusOr<KernelEntry> entry;
  switch (spec.form) {
    case KernelSpec::Form::kUnspecified:
      return absl::InternalError("kernel spec without form");
    case KernelSpec::Form::kGit:
      return absl::UnimplementedError(
          absl::StrCat("kernel ", spec.text,
                       " names what may change: `ktstrctl kernel build` builds "
                       "it and prints "
                       "a key, which is accepted here"));
    case KernelSpec::Form::kRange:
      return absl::UnimplementedError(absl::StrCat(
          "kernel ", spec.text,
          " is several kernels: `ktstrctl kernel build` builds them, and one "
          "version or series at a time is accepted here"));
    case KernelSpec::Form::kPath:
      return FromPath(spec, cache, options);
    case KernelSpec::Form::kPackage:
      entry = cache.FindVersion(
          spec.version, absl::StrCat("linux-source-", spec.version.ToString()));
      break;
    case KernelSpec::Form::kVersion:
    case KernelSpec::Form::kPrefix:
      entry = cache.FindVersion(spec.version);
      break;
    case KernelSpec::Form::kCacheKey:
      entry = cache.Find(spec.text);
      break;
  }
  ABSL_RETURN_IF_ERROR(entry.status());
  return FromEntry(*entry);
}

std::string RunningRelease(const ResolveOptions& options) {
  if (!options.running_release.empty()) return options.running_release;
  utsname name;
  return uname(&name) == 0 ? name.release : "";
}

// Images outside of the cache, in the order of discovery; "" where none is.
std::vector<std::string> SystemImages(const ResolveOptions& options) {
  const std::string& root = options.filesystem_root;
  std::string release = RunningRelease(options);
  std::string modules = JoinPath(root, "lib/modules/" + release);
  std::vector<std::string> images = {
      ImageIn(JoinPath(options.working_dir, "linux")),
      ImageIn(JoinPath(options.working_dir, "../linux")),
      ImageIn(JoinPath(modules, "build"))};
  for (const std::string& path :
       {JoinPath(modules, "vmlinuz"), JoinPath(root, "boot/vmlinuz-" + release),
        JoinPath(root, "boot/vmlinuz")}) {
    images.push_back(FileExists(path) ? path : "");
  }
  return images;
}

absl::StatusOr<ResolvedKernel> Discover(const KernelCache& cache,
                                        const ResolveOptions& options) {
  if (std::string path = Environment(options, "KTSTR_TEST_KERNEL");
      !path.empty()) {
    auto kernel = FromImage(path, cache);
    ABSL_RETURN_IF_ERROR(Annotate(kernel.status(), "KTSTR_TEST_KERNEL"));
    return kernel;
  }
  if (std::string text = Environment(options, "KTSTR_KERNEL"); !text.empty()) {
    auto kernel = FromSpec(text, cache, options);
    ABSL_RETURN_IF_ERROR(Annotate(kernel.status(), "KTSTR_KERNEL"));
    return kernel;
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<ListedKernel> cached, cache.List());
  for (const ListedKernel& listed : cached) {
    if (listed.state == ListedKernel::State::kValid &&
        !listed.entry.metadata.is_dirty &&
        listed.entry.metadata.extra_fragment.empty()) {
      return FromEntry(listed.entry);
    }
  }
  for (const std::string& path : SystemImages(options)) {
    if (!path.empty()) return FromImage(path, cache);
  }
  return absl::NotFoundError(absl::StrCat(
      "no kernel found: `ktstrctl kernel build 6.12` builds one, --kernel, "
      "KTSTR_KERNEL or KTSTR_TEST_KERNEL name one; looked into ",
      cache.root(), ", ./linux, ../linux, /lib/modules/",
      RunningRelease(options), " and /boot (vmlinux, bzImage, vmlinuz)"));
}

}  // namespace

absl::StatusOr<ResolvedKernel> ResolveKernel(absl::string_view spec,
                                             const KernelCache& cache,
                                             const ResolveOptions& options) {
  if (absl::StripAsciiWhitespace(spec).empty()) {
    return Discover(cache, options);
  }
  return FromSpec(spec, cache, options);
}

absl::StatusOr<std::vector<ResolvedKernel>> ResolveKernels(
    const std::vector<std::string>& specs, const KernelCache& cache,
    const ResolveOptions& options) {
  std::vector<ResolvedKernel> kernels;
  if (specs.empty()) {
    ABSL_ASSIGN_OR_RETURN(ResolvedKernel kernel, Discover(cache, options));
    kernels.push_back(std::move(kernel));
    return kernels;
  }
  std::map<std::string, std::string> spec_of_label;
  for (const std::string& spec : specs) {
    ABSL_ASSIGN_OR_RETURN(ResolvedKernel kernel,
                          ResolveKernel(spec, cache, options));
    auto [it, is_new] = spec_of_label.emplace(kernel.label, spec);
    if (!is_new) {
      return absl::InvalidArgumentError(absl::StrCat(
          "kernels ", it->second, " and ", spec, " have the same label ",
          kernel.label, ": name each kernel once"));
    }
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

absl::StatusOr<std::string> FindScheduler(const ResolvedKernel& kernel,
                                          absl::string_view name) {
  std::vector<absl::string_view> names;
  for (const std::string& path : kernel.schedulers) {
    if (Basename(path) == name) return path;
    names.push_back(Basename(path));
  }
  return absl::NotFoundError(absl::StrCat(
      "kernel ", kernel.label, " (", kernel.origin, ") has no scheduler ", name,
      names.empty() ? ": none were built with it"
                    : absl::StrCat(": it has ", absl::StrJoin(names, ", "))));
}

}  // namespace ktstr::kernel
