// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/embedded.h"

#include <zlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::kconfig {
namespace {

constexpr absl::string_view kStart = "IKCFG_ST\x1f\x8b";
constexpr size_t kMarkerBytes = 8;  // "IKCFG_ST" alone
constexpr size_t kMaxTextBytes = size_t{16} << 20;
constexpr size_t kMaxPackedBytes = size_t{4} << 20;
constexpr uint64_t kMaxImageBytes = uint64_t{1} << 30;
constexpr int kGzipWindow = 15 + 16;  // zlib.h: 16 selects the gzip header

absl::StatusOr<std::string> Gunzip(absl::string_view packed) {
  z_stream stream = {};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
    return absl::ResourceExhaustedError("inflate: no memory");
  }
  // SAFETY: zlib's interface is unsigned char and not const; it only reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = std::min(packed.size(), kMaxPackedBytes);
  std::string text;
  int result = Z_OK;
  while (result == Z_OK && text.size() < kMaxTextBytes) {
    size_t old_size = text.size();
    text.resize(old_size + (size_t{1} << 18));
    stream.next_out = reinterpret_cast<Bytef*>(text.data() + old_size);
    stream.avail_out = text.size() - old_size;
    result = inflate(&stream, Z_NO_FLUSH);
    text.resize(text.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END) {
    return absl::InvalidArgumentError(
        "the config embedded in the kernel is no complete gzip stream");
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> EmbeddedConfigText(absl::string_view image) {
  size_t at = image.find(kStart);
  if (at == absl::string_view::npos) {
    return absl::NotFoundError(
        "kernel has no embedded config (CONFIG_IKCONFIG)");
  }
  return Gunzip(image.substr(at + kMarkerBytes));
}

absl::StatusOr<Kconfig> ConfigOfVmlinux(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(std::string image, ReadFile(path, kMaxImageBytes));
  absl::StatusOr<std::string> text = EmbeddedConfigText(image);
  ABSL_RETURN_IF_ERROR(Annotate(text.status(), path));
  absl::StatusOr<Kconfig> config = Kconfig::Parse(*text);
  ABSL_RETURN_IF_ERROR(Annotate(config.status(), path));
  return config;
}

}  // namespace ktstr::kconfig
