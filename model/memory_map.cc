// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/memory_map.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace ktstr {
namespace {

using ::nlohmann::json;

constexpr uint64_t kPageBytes = 4096;
constexpr size_t kMaxStretches = 1024;
// Beyond every physical address of x86-64.
constexpr uint64_t kMaxAddress = uint64_t{1} << 52;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("memory map: ", what));
}

bool IsPageNumber(const json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= kMaxAddress &&
         value.get<uint64_t>() % kPageBytes == 0;
}

}  // namespace

std::string FormatMemoryMap(const std::vector<MappedRam>& ram) {
  json stretches = json::array();
  for (const MappedRam& part : ram) {
    stretches.push_back(
        {part.start, part.size_bytes, part.file, part.file_offset});
  }
  return json({{"ram", stretches}}).dump() + "\n";
}

absl::StatusOr<std::vector<MappedRam>> ParseMemoryMap(absl::string_view text,
                                                      int files) {
  if (text.size() > kMaxMemoryMapBytes) return Bad("too long");
  json object = json::parse(text.begin(), text.end(), nullptr,
                            /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains("ram") ||
      !object["ram"].is_array() || object["ram"].empty() ||
      object["ram"].size() > kMaxStretches) {
    return Bad("not one JSON object with \"ram\"");
  }
  std::vector<MappedRam> ram;
  uint64_t end = 0;
  for (const json& item : object["ram"]) {
    if (!item.is_array() || item.size() != 4 || !IsPageNumber(item[0]) ||
        !IsPageNumber(item[1]) || !item[2].is_number_unsigned() ||
        !IsPageNumber(item[3])) {
      return Bad("a stretch is not [start, size, file, offset] in whole pages");
    }
    if (item[2].get<uint64_t>() >= static_cast<uint64_t>(files)) {
      return Bad("a stretch lies in a file that did not come with it");
    }
    MappedRam part = {.start = item[0].get<uint64_t>(),
                      .size_bytes = item[1].get<uint64_t>(),
                      .file = static_cast<int>(item[2].get<uint64_t>()),
                      .file_offset = item[3].get<uint64_t>()};
    if (part.size_bytes == 0 || part.start < end) {
      return Bad("stretches are empty, overlap or are not in order");
    }
    end = part.start + part.size_bytes;
    ram.push_back(part);
  }
  return ram;
}

}  // namespace ktstr
