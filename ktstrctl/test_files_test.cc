// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/test_files.h"

#include <stdlib.h>

#include <memory>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A suite in DIR/suites, programs in DIR/bin.
class TestFilesTest : public ::testing::Test {
 protected:
  TestFilesTest() : dir_(*TempDir::Create("test_files")) {
    std::unique_ptr<char, decltype(&free)> real(
        realpath(dir_.path().c_str(), nullptr), &free);
    root_ = real.get();
    options_ = {.suite_dirs = {Path("suites")}, .search_path = Path("bin")};
    request_.add_suites();
    EXPECT_OK(MakeDirs(Path("suites")));
  }

  std::string Path(const std::string& name) { return JoinPath(root_, name); }
  void Make(const std::string& name, mode_t mode = 0755) {
    EXPECT_OK(MakeDirs(std::string(Dirname(Path(name)))));
    EXPECT_OK(WriteFileAtomically(Path(name), "#!/bin/true\n" + name, mode));
  }
  v1::TestDescription& Test(const std::string& name) {
    v1::TestDescription& test =
        *request_.mutable_suites(0)->mutable_description()->add_tests();
    test.set_name(name);
    return test;
  }
  static void Payload(v1::TestDescription& test, const std::string& name,
                      const std::string& binary) {
    v1::PayloadDescription& payload = *test.add_payloads();
    payload.set_name(name);
    payload.set_binary(binary);
  }
  absl::Status Add() { return AddTestFiles(options_, request_, artifacts_); }
  // "GUEST_PATH" of the files of a test, in order.
  std::vector<std::string> FilesOf(const std::string& test) const {
    std::vector<std::string> paths;
    for (const v1::TestFiles& files : request_.suites(0).test_files()) {
      if (files.test() != test) continue;
      for (const v1::GuestFile& file : files.files()) {
        paths.push_back(file.guest_path());
      }
    }
    return paths;
  }

  TempDir dir_;
  std::string root_;
  TestFileOptions options_;
  v1::SubmitRequest request_;
  Artifacts artifacts_;
};

TEST_F(TestFilesTest, EveryTestHasWhatItNames) {
  Make("bin/fio");
  Make("suites/load");
  Make("suites/data/b", 0644);
  Make("suites/data/a", 0644);
  v1::TestDescription& test = Test("t");
  Payload(test, "fio", "fio");
  test.mutable_payloads(0)->add_include_files("data");
  Payload(test, "load", "load");
  test.add_extra_include_files(Path("bin/fio"));
  Test("plain");
  ASSERT_OK(Add());
  EXPECT_THAT(FilesOf("t"),
              ElementsAre("/include-files/data/a", "/include-files/data/b",
                          "/include-files/fio", "/include-files/load"));
  const v1::TestFiles& files = request_.suites(0).test_files(0);
  EXPECT_FALSE(files.files(0).is_executable());
  EXPECT_TRUE(files.files(2).is_executable());
  EXPECT_EQ(files.files(2).content().name(), "fio");
  EXPECT_THAT(request_.suites(0).test_files(), SizeIs(1));
}

TEST_F(TestFilesTest, PayloadsMayShareAProgram) {
  Make("bin/fio");
  v1::TestDescription& test = Test("t");
  Payload(test, "reader", "fio");
  Payload(test, "writer", "fio");
  Payload(test, "other", Path("bin/fio"));
  ASSERT_OK(Add());
  EXPECT_THAT(FilesOf("t"), ElementsAre("/include-files/fio"));
}

TEST_F(TestFilesTest, TwoFilesForOnePlaceAreRefusedWithBothOrigins) {
  Make("bin/fio");
  Make("other/fio");
  v1::TestDescription& test = Test("t");
  Payload(test, "one", "fio");
  test.add_extra_include_files(Path("other/fio"));
  EXPECT_THAT(
      Add(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("two files for /include-files/fio in the guest"),
                     HasSubstr(Path("bin/fio") + " (test t, payload one)"),
                     HasSubstr(Path("other/fio") +
                               " (test t, extra_include_files)"))));
}

TEST_F(TestFilesTest, ASchedulersConfigFileHasItsPlace) {
  Make("suites/conf/settings");
  Make("other/settings");
  v1::TestDescription& test = Test("t");
  test.mutable_scheduler()->set_name("mine");
  test.mutable_scheduler()->set_config_file("conf/settings");
  test.add_extra_include_files(Path("other/settings"));
  EXPECT_THAT(
      Add(), StatusIs(absl::StatusCode::kInvalidArgument,
                      HasSubstr("(test t, config_file of scheduler mine) and " +
                                Path("other/settings"))));
}

TEST_F(TestFilesTest, AMissingProgramIsRefusedByTestAndPayload) {
  Make("bin/fio", 0644);  // cannot be executed
  Make("bin/other");
  Payload(Test("t"), "reader", "fio");
  Payload(Test("u"), "other", "other");
  EXPECT_THAT(Add(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("test t, payload reader: fio is "
                                        "neither in the working directory nor "
                                        "in " +
                                        Path("suites"))));
  request_.mutable_suites(0)->clear_test_files();
  options_.filters = {"t"};
  EXPECT_THAT(Add(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(TestFilesTest, WhatIsFilteredOutMayBeMissing) {
  Make("bin/other");
  Payload(Test("t"), "reader", "no_such_program");
  Payload(Test("u"), "other", "other");
  options_.filters = {"u"};
  ASSERT_OK(Add());
  EXPECT_THAT(request_.suites(0).test_files(), SizeIs(1));
  EXPECT_THAT(FilesOf("u"), SizeIs(1));

  // A variant of it may be meant: whoever expands knows.
  request_.mutable_suites(0)->clear_test_files();
  options_.filters = {"u", "gauntlet/*/tiny-1llc/*"};
  ASSERT_OK(Add());
  ASSERT_THAT(request_.suites(0).test_files(), SizeIs(2));
  EXPECT_THAT(request_.suites(0).test_files(0).missing(),
              HasSubstr("test t, payload reader: no_such_program is neither"));
  EXPECT_THAT(FilesOf("t"), IsEmpty());
}

TEST_F(TestFilesTest, RelativePathsAreLookedForBesideTheSuite) {
  Make("suites/build/bench");
  Payload(Test("t"), "bench", "./build/bench");
  ASSERT_OK(Add());
  EXPECT_THAT(FilesOf("t"), ElementsAre("/include-files/bench"));
}

}  // namespace
}  // namespace ktstr::ktstrctl
