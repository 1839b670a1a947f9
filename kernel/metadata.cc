// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/metadata.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"

namespace ktstr::kernel {
namespace {

using ::nlohmann::json;

constexpr int64_t kMaxSeconds = int64_t{1} << 40;

absl::Status BadKey(const char* key, absl::string_view accepted) {
  return absl::InvalidArgumentError(
      absl::StrCat("metadata.json: \"", key, "\" must be ", accepted));
}

absl::Status Read(const json& object, const char* key, std::string& value) {
  auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return BadKey(key, "a string");
  value = it->get<std::string>();
  return absl::OkStatus();
}

absl::Status Read(const json& object, const char* key, int64_t& value) {
  auto it = object.find(key);
  if (it == object.end() || !it->is_number_integer() ||
      (it->is_number_unsigned() && it->get<uint64_t>() > kMaxSeconds) ||
      it->get<int64_t>() < 0 || it->get<int64_t>() > kMaxSeconds) {
    return BadKey(key, "a number from 0 to 2^40");
  }
  value = it->get<int64_t>();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<KernelMetadata> ParseKernelMetadata(absl::string_view text) {
  json object = json::parse(text.begin(), text.end(), nullptr,
                            /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError("metadata.json: not one JSON object");
  }
  KernelMetadata metadata;
  int64_t built_at = 0, build_ms = 0, image_bytes = 0;
  for (auto [key, field] : {
           std::pair("version", &metadata.version),
           std::pair("source", &metadata.source),
           std::pair("source_package", &metadata.source_package),
           std::pair("arch", &metadata.arch),
           std::pair("toolchain", &metadata.toolchain),
           std::pair("config_hash", &metadata.config_hash),
           std::pair("ktstr_kconfig_hash", &metadata.fragments_hash),
           std::pair("image_sha256", &metadata.image_sha256),
       }) {
    ABSL_RETURN_IF_ERROR(Read(object, key, *field));
  }
  ABSL_RETURN_IF_ERROR(Read(object, "built_at_unix_s", built_at));
  ABSL_RETURN_IF_ERROR(Read(object, "build_ms", build_ms));
  ABSL_RETURN_IF_ERROR(Read(object, "objects", metadata.objects));
  ABSL_RETURN_IF_ERROR(Read(object, "image_bytes", image_bytes));
  // Entries of older programs do not say these; they knew nothing else.
  if (auto it = object.find("is_dirty"); it != object.end()) {
    if (!it->is_boolean()) return BadKey("is_dirty", "true or false");
    metadata.is_dirty = it->get<bool>();
  }
  for (auto [key, field] :
       {std::pair("extra_fragment", &metadata.extra_fragment),
        std::pair("extra_fragment_hash", &metadata.extra_fragment_hash)}) {
    if (!object.contains(key)) continue;
    ABSL_RETURN_IF_ERROR(Read(object, key, *field));
  }
  metadata.built_at = absl::FromUnixSeconds(built_at);
  metadata.build_time = absl::Milliseconds(build_ms);
  metadata.image_bytes = image_bytes;
  return metadata;
}

std::string FormatKernelMetadata(const KernelMetadata& metadata) {
  json object = {
      {"version", metadata.version},
      {"source", metadata.source},
      {"source_package", metadata.source_package},
      {"is_dirty", metadata.is_dirty},
      {"arch", metadata.arch},
      {"toolchain", metadata.toolchain},
      {"config_hash", metadata.config_hash},
      {"ktstr_kconfig_hash", metadata.fragments_hash},
      {"extra_fragment", metadata.extra_fragment},
      {"extra_fragment_hash", metadata.extra_fragment_hash},
      {"built_at_unix_s", absl::ToUnixSeconds(metadata.built_at)},
      {"built_at", absl::FormatTime(absl::RFC3339_sec, metadata.built_at,
                                    absl::UTCTimeZone())},
      {"build_ms", absl::ToInt64Milliseconds(metadata.build_time)},
      {"objects", metadata.objects},
      {"image_bytes", metadata.image_bytes},
      {"image_sha256", metadata.image_sha256},
  };
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace ktstr::kernel
