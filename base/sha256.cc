// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr {
namespace {

// One running digest (libcrypto's EVP interface).
class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Update(const void* bytes, size_t size) {
    EVP_DigestUpdate(context_.get(), bytes, size);
  }
  std::string Hex() {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), raw, &size);
    return absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(raw), size));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string Sha256Hex(absl::string_view bytes) {
  Digest digest;
  digest.Update(bytes.data(), bytes.size());
  return digest.Hex();
}

absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDONLY));
  Digest digest;
  std::string buffer(1 << 20, '\0');
  while (true) {
    ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, "read " + path);
    if (count == 0) return digest.Hex();
    digest.Update(buffer.data(), count);
  }
}

bool IsSha256Hex(absl::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace ktstr
