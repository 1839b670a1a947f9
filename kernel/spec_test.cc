// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/spec.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using Form = KernelSpec::Form;

KernelVersion MakeVersion(absl::string_view text) {
  absl::StatusOr<KernelVersion> version = KernelVersion::Parse(text);
  EXPECT_OK(version.status());
  return version.value_or(KernelVersion());
}

TEST(KernelVersionTest, ReadsBackWhatItWrites) {
  for (const char* text : {"6", "6.12", "6.12.117", "6.13-rc2", "0.1.0"}) {
    EXPECT_EQ(MakeVersion(text).ToString(), text);
  }
}

TEST(KernelVersionTest, RefusesWhatIsNoVersion) {
  for (const char* text : {"", "6.", "6-rc1", ".12", "6.12.", "6.12.1x",
                           "v6.12", "6.12-rc", "6.12 ", "-6.12", "6.123456"}) {
    EXPECT_THAT(KernelVersion::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

TEST(KernelVersionTest, SortsCandidatesBelowTheirRelease) {
  EXPECT_LT(MakeVersion("6.13-rc2"), MakeVersion("6.13-rc10"));
  EXPECT_LT(MakeVersion("6.13-rc10"), MakeVersion("6.13"));
  EXPECT_LT(MakeVersion("6.12.9"), MakeVersion("6.12.10"));
  EXPECT_LT(MakeVersion("6.12.117"), MakeVersion("6.13-rc1"));
}

TEST(KernelVersionTest, SeriesCoversItsPatches) {
  EXPECT_TRUE(MakeVersion("6").Covers(MakeVersion("6.12.117")));
  EXPECT_FALSE(MakeVersion("5").Covers(MakeVersion("6.12.117")));
  EXPECT_TRUE(MakeVersion("6.12").Covers(MakeVersion("6.12.117")));
  EXPECT_TRUE(MakeVersion("6.12").Covers(MakeVersion("6.12")));
  EXPECT_FALSE(MakeVersion("6.1").Covers(MakeVersion("6.12.117")));
  EXPECT_FALSE(MakeVersion("6.12.11").Covers(MakeVersion("6.12.117")));
}

TEST(KernelSpecTest, TellsTheFormsApart) {
  struct Case {
    const char* text;
    Form form;
  };
  for (const Case& one :
       {Case{"git+https://example.org/linux.git#v6.13", Form::kGit},
        Case{"6.12..6.14", Form::kRange}, Case{"6.12.3..6.12.9", Form::kRange},
        Case{"./linux", Form::kPath}, Case{"../linux", Form::kPath},
        Case{"..", Form::kPath}, Case{".", Form::kPath},
        Case{"~/linux", Form::kPath}, Case{"build/vmlinux", Form::kPath},
        Case{"/boot/vmlinuz", Form::kPath}, Case{"6.12.117", Form::kVersion},
        Case{"6.13-rc2", Form::kVersion}, Case{"6.12", Form::kPrefix},
        Case{" 6.12 ", Form::kPrefix}, Case{"6", Form::kPrefix},
        Case{"deb:linux-source-6.12", Form::kPackage},
        Case{"6.12.117-tarball-x86_64-kc01234567", Form::kCacheKey},
        Case{"local-abc", Form::kCacheKey}}) {
    ASSERT_OK_AND_ASSIGN(KernelSpec spec, ParseKernelSpec(one.text));
    EXPECT_EQ(spec.form, one.form) << one.text;
  }
}

TEST(KernelSpecTest, SeparatesTheGitRefAtTheLastHash) {
  ASSERT_OK_AND_ASSIGN(KernelSpec spec, ParseKernelSpec("git+a#b#c"));
  EXPECT_EQ(spec.git_url, "a#b");
  EXPECT_EQ(spec.git_ref, "c");
}

TEST(KernelSpecTest, KeepsBothEndsOfARange) {
  ASSERT_OK_AND_ASSIGN(KernelSpec spec, ParseKernelSpec("6.12..6.14.2"));
  EXPECT_EQ(spec.range_low.ToString(), "6.12");
  EXPECT_EQ(spec.range_high.ToString(), "6.14.2");
}

TEST(KernelSpecTest, ReplacesTheHomeDirectory) {
  setenv("HOME", "/home/someone", 1);
  ASSERT_OK_AND_ASSIGN(KernelSpec spec, ParseKernelSpec("~/linux"));
  EXPECT_EQ(spec.path, "/home/someone/linux");
}

TEST(KernelSpecTest, RefusesWithTheReason) {
  EXPECT_THAT(ParseKernelSpec("  "),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(
      ParseKernelSpec("git+url"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("git+URL#REF")));
  EXPECT_THAT(ParseKernelSpec("6.12..latest"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("\"latest\" is no kernel version")));
  EXPECT_THAT(ParseKernelSpec("6.14..6.12"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must not be the newer")));
  for (const char* text :
       {"deb:", "deb:linux-source-6.12.3", "deb:linux-source-6",
        "deb:linux-image-6.12", "deb:linux-source-6.12/x"}) {
    EXPECT_THAT(ParseKernelSpec(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("deb:linux-source-6.12, a package")));
  }
  EXPECT_THAT(ParseKernelSpec("what is this"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no path, version")));
}

TEST(SanitiseLabelTest, LeavesLowerCaseWordsJoinedByOneUnderscore) {
  EXPECT_EQ(SanitiseLabel("6.12.117"), "kernel_6_12_117");
  EXPECT_EQ(SanitiseLabel("path_My--Linux_ab12"), "kernel_path_my_linux_ab12");
  EXPECT_EQ(SanitiseLabel("..x.."), "kernel_x");
  EXPECT_EQ(SanitiseLabel(""), "kernel");
}

}  // namespace
}  // namespace ktstr::kernel
