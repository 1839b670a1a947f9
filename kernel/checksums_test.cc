// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/checksums.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kernel/testing/signer.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

KernelVersion V(absl::string_view text) { return *KernelVersion::Parse(text); }

std::string Sum(char digit) { return std::string(64, digit); }

std::string List() {
  return absl::StrCat(
      "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n", Sum('1'),
      "  ChangeLog-6.12.9\n", Sum('2'), "  linux-6.12.10.tar.gz\n", Sum('3'),
      "  linux-6.12.10.tar.xz\n", Sum('4'), "  linux-6.12.9.tar.xz\n", Sum('5'),
      " *linux-6.13.tar.xz\r\n", Sum('6'), "  patch-6.14.1.xz\n", Sum('g'),
      "  linux-6.15.tar.xz\n", Sum('7'), "linux-6.16.tar.xz\n", Sum('8'),
      "  \n",
      "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n");
}

TEST(ChecksumsTest, FindsAFileByItsName) {
  const Checksums sums = Checksums::Parse(List());
  EXPECT_EQ(sums.Find("linux-6.12.10.tar.xz"), Sum('3'));
  EXPECT_EQ(sums.Find("linux-6.13.tar.xz"), Sum('5'));
  EXPECT_EQ(sums.Find("linux-6.15.tar.xz"), std::nullopt);
  EXPECT_EQ(sums.Find("linux-6.16.tar.xz"), std::nullopt);
  EXPECT_EQ(sums.Find(""), std::nullopt);
}

TEST(ChecksumsTest, KnowsTheNewestTarballOfASeries) {
  const Checksums sums = Checksums::Parse(List());
  EXPECT_EQ(sums.Newest(V("6.12")), V("6.12.10"));
  EXPECT_EQ(sums.Newest(V("6.13")), V("6.13"));
  EXPECT_EQ(sums.Newest(V("6")), V("6.13"));
  EXPECT_EQ(sums.Newest(V("6.14")), std::nullopt);
}

TEST(ChecksumsTest, NamesTarballsAsKernelOrgDoes) {
  EXPECT_EQ(TarballName(V("6.12.5")), "linux-6.12.5.tar.xz");
  EXPECT_EQ(TarballName(V("6.12.0")), "linux-6.12.tar.xz");
  EXPECT_EQ(TarballName(V("6.12")), "linux-6.12.tar.xz");
  EXPECT_EQ(TarballName(V("6.13-rc2")), "linux-6.13-rc2.tar.gz");
}

class SignatureTest : public testing::Test {
 protected:
  SignatureTest() : dir_(*TempDir::Create("signature")) {}
  // The content as a signed file.
  std::string Signed(const Signer& signer) {
    auto text = signer.ClearSign("content\n");
    EXPECT_OK(text.status());
    return *text;
  }
  absl::StatusOr<std::string> Verify(const std::string& text,
                                     const Signer& signer) {
    const std::string path = JoinPath(dir_.path(), "list.asc");
    EXPECT_OK(RemoveTree(path + ".content"));
    EXPECT_OK(WriteFileAtomically(path, text));
    return VerifySignature(path, signer.keyring());
  }
  TempDir dir_;
};

TEST_F(SignatureTest, GivesTheContentOnlyWhenItIsSigned) {
  ASSERT_OK_AND_ASSIGN(Signer signer, Signer::Create());
  const std::string text = Signed(signer);
  EXPECT_THAT(Verify(text, signer), IsOkAndHolds("content\n"));
  EXPECT_THAT(Verify(absl::StrCat("before\n", text, "after\n"), signer),
              IsOkAndHolds("content\n"));
  EXPECT_THAT(
      Verify(absl::StrReplaceAll(text, {{"content", "c0ntent"}}), signer),
      StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(Verify("content\n", signer),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(SignatureTest, AnotherKeyDoesNotCount) {
  ASSERT_OK_AND_ASSIGN(Signer signer, Signer::Create());
  ASSERT_OK_AND_ASSIGN(Signer stranger, Signer::Create());
  EXPECT_THAT(Verify(Signed(stranger), signer),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("its signature is not one of a key in")));
}

}  // namespace
}  // namespace ktstr::kernel
