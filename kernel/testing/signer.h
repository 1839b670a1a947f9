// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_TESTING_SIGNER_H_
#define KTSTR_KERNEL_TESTING_SIGNER_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/file.h"

namespace ktstr::kernel {

// A key of a test's own, as kernel.org has one for its lists. Needs gpg.
class Signer {
 public:
  static absl::StatusOr<Signer> Create();
  Signer(Signer&&) = default;
  ~Signer();

  // A file with the public key, as gpgv takes it.
  std::string keyring() const;
  absl::StatusOr<std::string> ClearSign(absl::string_view text) const;

 private:
  explicit Signer(TempDir home) : home_(std::move(home)) {}
  TempDir home_;
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_TESTING_SIGNER_H_
