// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/schedulers.h"

#include <string>
#include <vector>

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

// A suite in DIR/suites with one test for each declared scheduler.
class SchedulersTest : public ::testing::Test {
 protected:
  SchedulersTest() : dir_(*TempDir::Create("schedulers_test")) {
    choices_.suite_dirs = {Path("suites")};
    choices_.working_dir = dir_.path();
    request_.add_suites();
    EXPECT_OK(MakeDirs(Path("suites")));
  }

  std::string Path(const std::string& name) {
    return JoinPath(dir_.path(), name);
  }

  v1::SchedulerDescription& Declare(const std::string& name,
                                    const std::string& binary) {
    auto& suite = *request_.mutable_suites(0)->mutable_description();
    v1::TestDescription& test = *suite.add_tests();
    test.set_name("t" + name);
    test.mutable_scheduler()->set_name(name);
    test.mutable_scheduler()->set_binary(binary);
    return *test.mutable_scheduler();
  }

  // A program that is one, for this machine.
  std::string MakeProgram(const std::string& name) {
    EXPECT_OK(MakeDirs(std::string(Dirname(Path(name)))));
    absl::StatusOr<std::string> elf = ReadFile("/bin/true", 16u << 20);
    EXPECT_OK(elf);
    EXPECT_OK(WriteFileAtomically(Path(name), *elf, 0755));
    return Path(name);
  }

  absl::Status Add() {
    return AddSchedulers(choices_, kernels_, request_, artifacts_);
  }

  auto Refuses(const std::string& text) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
  }

  TempDir dir_;
  SchedulerChoices choices_;
  std::vector<kernel::ResolvedKernel> kernels_;
  v1::SubmitRequest request_;
  Artifacts artifacts_;
};

TEST_F(SchedulersTest, DeclaredProgramIsFoundInOrder) {
  Declare("mine", "scx_mine");
  kernels_.push_back({.label = "k", .schedulers = {MakeProgram("k/scx_mine")}});
  struct Place {
    std::string path;
    v1::ProgramOrigin origin;
  };
  // Each comes before those above it.
  const Place places[] = {{"k/scx_mine", v1::BUILT_WITH_KERNEL},
                          {"out/scx_mine", v1::OUT_DIRECTORY},
                          {"suites/scx_mine", v1::BESIDE_SUITE}};
  for (const Place& place : places) {
    MakeProgram(place.path);
    request_.clear_declared_schedulers();
    ASSERT_OK(Add());
    ASSERT_THAT(request_.declared_schedulers(), SizeIs(1)) << place.path;
    EXPECT_EQ(request_.declared_schedulers(0).origin(), place.origin);
    EXPECT_EQ(request_.declared_schedulers(0).found_at(), Path(place.path));
    EXPECT_EQ(request_.declared_schedulers(0).name(), "mine");
    EXPECT_THAT(request_.declared_schedulers(0).binary().sha256(), SizeIs(64));
  }
  request_.clear_declared_schedulers();
  choices_.given = {"mine=" + MakeProgram("elsewhere")};
  choices_.args = {"-v"};
  ASSERT_OK(Add());
  ASSERT_THAT(request_.declared_schedulers(), SizeIs(1));
  EXPECT_EQ(request_.declared_schedulers(0).origin(), v1::GIVEN);
  EXPECT_EQ(request_.declared_schedulers(0).found_at(), Path("elsewhere"));
  EXPECT_THAT(request_.declared_schedulers(0).args(), ElementsAre("-v"));
  EXPECT_THAT(request_.schedulers(), IsEmpty());
  EXPECT_THAT(request_.missing_schedulers(), IsEmpty());
}

TEST_F(SchedulersTest, DeclaredPathIsTakenAsItIs) {
  Declare("mine", "build/scx_mine");
  MakeProgram("suites/scx_mine");
  ASSERT_OK(Add());
  ASSERT_THAT(request_.missing_schedulers(), SizeIs(1));
  EXPECT_THAT(request_.missing_schedulers(0).reason(),
              HasSubstr("no file build/scx_mine"));
  request_.clear_missing_schedulers();
  MakeProgram("build/scx_mine");
  ASSERT_OK(Add());
  ASSERT_THAT(request_.declared_schedulers(), SizeIs(1));
  EXPECT_EQ(request_.declared_schedulers(0).origin(), v1::DECLARED_PATH);
}

TEST_F(SchedulersTest, MissingProgramSaysWhereItWasLookedFor) {
  Declare("mine", "scx_mine");
  ASSERT_OK(Add());
  EXPECT_THAT(request_.declared_schedulers(), IsEmpty());
  ASSERT_THAT(request_.missing_schedulers(), SizeIs(1));
  EXPECT_EQ(request_.missing_schedulers(0).name(), "mine");
  EXPECT_THAT(request_.missing_schedulers(0).reason(),
              AllOf(HasSubstr("scx_mine"), HasSubstr(Path("suites")),
                    HasSubstr("out/"), HasSubstr("--scheduler mine=PATH")));
}

TEST_F(SchedulersTest, OverrideThatIsSetButMissingIsAnError) {
  Declare("mine", "scx_mine");
  MakeProgram("suites/scx_mine");
  choices_.given = {"mine=" + Path("nowhere")};
  EXPECT_THAT(Add(), Refuses("nowhere"));
  choices_.given = {"mine="};
  EXPECT_THAT(Add(), Refuses("--scheduler mine="));
  choices_.given = {"other=" + Path("suites/scx_mine")};
  EXPECT_THAT(Add(), Refuses("no test declares scheduler other; declared are "
                             "mine"));
  choices_.given = {"mine=" + Path("suites/scx_mine"),
                    "mine=" + Path("suites/scx_mine")};
  EXPECT_THAT(Add(), Refuses("given twice"));
}

TEST_F(SchedulersTest, NothingIsLookedForBesideADimension) {
  Declare("mine", "scx_mine");
  choices_.given = {"default", MakeProgram("scx_other")};
  ASSERT_OK(Add());
  EXPECT_THAT(request_.missing_schedulers(), IsEmpty());
  ASSERT_THAT(request_.schedulers(), SizeIs(2));
  EXPECT_EQ(request_.schedulers(1).name(), "scx_other");
  EXPECT_EQ(request_.schedulers(1).origin(), v1::GIVEN);
  EXPECT_EQ(request_.schedulers(1).found_at(), Path("scx_other"));
}

TEST_F(SchedulersTest, RefusesDeclarationsThatContradictEachOther) {
  Declare("mine", "scx_mine");
  Declare("mine", "scx_yours");
  EXPECT_THAT(Add(), Refuses("with program scx_mine and with program "
                             "scx_yours"));
}

TEST_F(SchedulersTest, FileThatIsNoProgramIsRefused) {
  Declare("mine", "scx_mine");
  ASSERT_OK(WriteFileAtomically(Path("suites/scx_mine"), "#!/bin/sh\n", 0755));
  EXPECT_THAT(Add(), Refuses("suites/scx_mine"));
}

TEST_F(SchedulersTest, ConfigurationFileComesFromHereElseFromBesideTheSuite) {
  Declare("mine", "scx_mine").set_config_file("layers.json");
  Declare("mine", "scx_mine").set_config_file("layers.json");
  EXPECT_THAT(Add(), Refuses("config_file layers.json of scheduler mine is not "
                             "there"));
  ASSERT_OK(WriteFileAtomically(Path("suites/layers.json"), "beside"));
  ASSERT_OK(Add());
  ASSERT_THAT(request_.suites(0).config_files(), SizeIs(1));
  EXPECT_EQ(request_.suites(0).config_files(0).declared_path(), "layers.json");
  EXPECT_EQ(request_.suites(0).config_files(0).content().size_bytes(), 6);
  ASSERT_OK(WriteFileAtomically(Path("layers.json"), "here"));
  request_.mutable_suites(0)->clear_config_files();
  ASSERT_OK(Add());
  EXPECT_EQ(request_.suites(0).config_files(0).content().size_bytes(), 4);
}

TEST_F(SchedulersTest, ArgumentsNeedAProgram) {
  choices_.args = {"-v"};
  EXPECT_THAT(Add(), Refuses("--scheduler-arg"));
  Declare("mine", "scx_mine");
  EXPECT_OK(Add());
}

}  // namespace
}  // namespace ktstr::ktstrctl
