// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/testing/signer.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/subprocess.h"

namespace ktstr::kernel {
namespace {

absl::Status Run(const std::string& home, std::vector<std::string> argv) {
  CommandSpec command;
  command.argv = std::move(argv);
  command.extra_env = {absl::StrCat("GNUPGHOME=", home), "LC_ALL=C"};
  ABSL_ASSIGN_OR_RETURN(CommandOutput output,
                        RunCommand(command, absl::Minutes(1)));
  if (output.exit.ok()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(command.argv[0], ": ", output.exit.ToString(), output.err));
}

}  // namespace

absl::StatusOr<Signer> Signer::Create() {
  // Its sockets have short paths only.
  ABSL_ASSIGN_OR_RETURN(TempDir home, TempDir::Create("gpg"));
  Signer signer(std::move(home));
  const std::string& path = signer.home_.path();
  ABSL_RETURN_IF_ERROR(Run(
      path, {"gpg", "--batch", "--quiet", "--passphrase", "",
             "--quick-generate-key", "signer@example.org", "ed25519", "sign"}));
  ABSL_RETURN_IF_ERROR(
      Run(path, {"gpg", "--batch", "--output", signer.keyring(), "--export"}));
  return signer;
}

Signer::~Signer() {
  // A moved-from one has no home.
  if (home_.path().empty()) return;
  Run(home_.path(), {"gpgconf", "--kill", "all"}).IgnoreError();
}

std::string Signer::keyring() const {
  return JoinPath(home_.path(), "public.gpg");
}

absl::StatusOr<std::string> Signer::ClearSign(absl::string_view text) const {
  const std::string plain = JoinPath(home_.path(), "text");
  ABSL_RETURN_IF_ERROR(RemoveTree(plain + ".asc"));
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(plain, text));
  ABSL_RETURN_IF_ERROR(
      Run(home_.path(), {"gpg", "--batch", "--quiet", "--clear-sign", plain}));
  return ReadFile(plain + ".asc");
}

}  // namespace ktstr::kernel
