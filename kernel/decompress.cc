// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/decompress.h"

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::kernel {
namespace {

// Room for what is unpacked grows by as much as there is, within these limits:
// a small archive costs little, a large one few copies.
constexpr size_t kLeastStep = size_t{64} << 10;
constexpr size_t kMostStep = size_t{4} << 20;
constexpr size_t kLz4BlockBytes = size_t{8} << 20;  // legacy frame format
// No byte of a block stands for more than 255, beside its first few.
constexpr size_t kLz4MostExpansion = 256;
constexpr size_t kLz4Slack = 64;
constexpr uint64_t kXzMemoryLimit = uint64_t{512} << 20;
constexpr int kGzipWindow = 15 + 16;  // zlib.h: 16 selects the gzip header

constexpr absl::string_view kGzipMagic("\x1f\x8b", 2);
constexpr absl::string_view kXzMagic("\xfd\x37zXZ\0", 6);
constexpr absl::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);
constexpr absl::string_view kLz4Magic("\x02\x21\x4c\x18", 4);
constexpr std::pair<absl::string_view, absl::string_view> kKnownButRefused[] = {
    {absl::string_view("BZh", 3), "bzip2"},
    {absl::string_view("\x5d\0\0", 3), "lzma"},
    {absl::string_view("\x89LZO", 4), "lzo"},
};

absl::Status Damaged(absl::string_view format) {
  return absl::InvalidArgumentError(
      absl::StrCat("damaged or cut ", format, " stream"));
}

// Grows `out` by one step and says where to write; fails at the limit.
absl::StatusOr<size_t> Grow(std::string& out, uint64_t max_bytes) {
  size_t filled = out.size();
  if (filled >= max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("unpacks to more than ", max_bytes, " bytes"));
  }
  const size_t step = std::clamp(filled, kLeastStep, kMostStep);
  out.resize(filled + std::min<uint64_t>(step, max_bytes - filled));
  return filled;
}

absl::StatusOr<std::string> Gunzip(absl::string_view packed,
                                   uint64_t max_bytes) {
  z_stream stream = {};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
    return absl::ResourceExhaustedError("inflate: no memory");
  }
  std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  // SAFETY: zlib's interface is unsigned char and not const; it only reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = packed.size();
  std::string out;
  int result = Z_OK;
  while (result == Z_OK) {
    ABSL_ASSIGN_OR_RETURN(size_t filled, Grow(out, max_bytes));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    stream.avail_out = out.size() - filled;
    result = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  if (result != Z_STREAM_END) return Damaged("gzip");
  return out;
}

absl::StatusOr<std::string> UnpackXz(absl::string_view packed,
                                     uint64_t max_bytes) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kXzMemoryLimit, 0) != LZMA_OK) {
    return absl::ResourceExhaustedError("xz: no memory");
  }
  std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> owner(&stream, lzma_end);
  // SAFETY: bytes are bytes; liblzma only reads its input.
  stream.next_in = reinterpret_cast<const uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  std::string out;
  lzma_ret result = LZMA_OK;
  while (result == LZMA_OK) {
    ABSL_ASSIGN_OR_RETURN(size_t filled, Grow(out, max_bytes));
    stream.next_out = reinterpret_cast<uint8_t*>(out.data() + filled);
    stream.avail_out = out.size() - filled;
    result = lzma_code(&stream, LZMA_RUN);
    out.resize(out.size() - stream.avail_out);
  }
  if (result != LZMA_STREAM_END) return Damaged("xz");
  return out;
}

absl::StatusOr<std::string> UnpackZstd(absl::string_view packed,
                                       uint64_t max_bytes) {
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(
      ZSTD_createDStream(), ZSTD_freeDStream);
  if (stream == nullptr) return absl::ResourceExhaustedError("zstd: no memory");
  ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
  std::string out;
  size_t result = 1;
  while (result != 0) {
    ABSL_ASSIGN_OR_RETURN(size_t filled, Grow(out, max_bytes));
    ZSTD_outBuffer room = {out.data() + filled, out.size() - filled, 0};
    size_t consumed = in.pos;
    result = ZSTD_decompressStream(stream.get(), &room, &in);
    out.resize(filled + room.pos);
    if (ZSTD_isError(result) != 0 ||
        (result != 0 && room.pos == 0 && in.pos == consumed)) {
      return Damaged("zstd");
    }
  }
  return out;
}

uint32_t LoadLittle32(absl::string_view bytes) {
  uint32_t value = 0;
  memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// The legacy frame: magic, then blocks of a 32-bit packed size and that many
// bytes, each unpacking to at most 8 MiB; a kernel payload ends with the whole
// unpacked size.
absl::StatusOr<std::string> UnpackLz4(absl::string_view packed,
                                      uint64_t max_bytes) {
  packed.remove_prefix(4);
  std::string out;
  while (packed.size() >= 4) {
    uint32_t size = LoadLittle32(packed);
    packed.remove_prefix(4);
    if (packed.empty() && size == (out.size() & 0xFFFFFFFFu)) break;
    if (size == 0 || size > packed.size() ||
        size > std::numeric_limits<int>::max()) {
      return Damaged("lz4");
    }
    size_t filled = out.size();
    if (filled > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("unpacks to more than ", max_bytes, " bytes"));
    }
    const size_t room =
        std::min(kLz4BlockBytes, size * kLz4MostExpansion + kLz4Slack);
    out.resize(filled + room);
    int count =
        LZ4_decompress_safe(packed.data(), out.data() + filled,
                            static_cast<int>(size), static_cast<int>(room));
    if (count < 0) return Damaged("lz4");
    out.resize(filled + count);
    packed.remove_prefix(size);
  }
  if (out.empty()) return Damaged("lz4");
  return out;
}

}  // namespace

absl::StatusOr<std::string> Decompress(absl::string_view packed,
                                       uint64_t max_bytes) {
  if (absl::StartsWith(packed, kGzipMagic)) return Gunzip(packed, max_bytes);
  if (absl::StartsWith(packed, kXzMagic)) return UnpackXz(packed, max_bytes);
  if (absl::StartsWith(packed, kZstdMagic)) {
    return UnpackZstd(packed, max_bytes);
  }
  if (absl::StartsWith(packed, kLz4Magic)) return UnpackLz4(packed, max_bytes);
  for (const auto& [magic, name] : kKnownButRefused) {
    if (absl::StartsWith(packed, magic)) {
      return absl::UnimplementedError(absl::StrCat(
          name, " compression: accepted are gzip, xz, lz4 and zstd"));
    }
  }
  return absl::InvalidArgumentError(
      "unknown compression: accepted are gzip, xz, lz4 and zstd");
}

}  // namespace ktstr::kernel
