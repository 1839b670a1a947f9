// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/handlers/artifacts.h"

#include <string>

#include "base/sha256.h"
#include "base/status_matchers.h"
#include "coordinator/testing/fleet_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;

class ArtifactsTest : public ::testing::Test {
 protected:
  grpc::Status Download(const std::string& sha256, std::string& content) {
    grpc::ClientContext context;
    v1::DownloadRequest request;
    request.set_sha256(sha256);
    auto reader = fixture_.artifacts->Download(&context, request);
    v1::DownloadResponse piece;
    while (reader->Read(&piece)) content += piece.data();
    return reader->Finish();
  }

  FleetFixture fixture_;
};

TEST_F(ArtifactsTest, LargeBlobComesBackInPieces) {
  std::string content(5 << 20, 'x');
  for (size_t i = 0; i < content.size(); i += 4096) content[i] = i >> 12;
  const std::string name = Sha256Hex(content);
  ASSERT_OK(fixture_.Upload(name, content.size(), content));
  std::string back;
  EXPECT_TRUE(Download(name, back).ok());
  EXPECT_EQ(back, content);
}

TEST_F(ArtifactsTest, FindMissingNamesWhatIsNotHeld) {
  const std::string held = Sha256Hex("held"), missing = Sha256Hex("missing");
  ASSERT_OK(fixture_.Upload(held, 4, "held"));
  grpc::ClientContext context;
  v1::FindMissingRequest request;
  request.add_sha256(held);
  request.add_sha256(missing);
  v1::FindMissingResponse response;
  ASSERT_TRUE(
      fixture_.artifacts->FindMissing(&context, request, &response).ok());
  EXPECT_THAT(response.sha256(), ElementsAre(missing));
}

TEST_F(ArtifactsTest, WrongContentIsDataLossAndNotHeld) {
  const std::string name = Sha256Hex("right");
  EXPECT_THAT(fixture_.Upload(name, 5, "wrong"),
              StatusIs(absl::StatusCode::kDataLoss));
  std::string content;
  EXPECT_EQ(Download(name, content).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(fixture_.Upload(name, 5, "righ"),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(fixture_.Upload(name, 5, "right!"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ArtifactsTest, TraversalIsInvalid) {
  std::string content;
  EXPECT_EQ(Download("../../lock", content).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(fixture_.Upload("../../../../tmp/x", 1, "x"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ArtifactsTest, BlobsSurviveARestart) {
  const std::string name = Sha256Hex("kept");
  ASSERT_OK(fixture_.Upload(name, 4, "kept"));
  fixture_.Restart();
  std::string content;
  EXPECT_TRUE(Download(name, content).ok());
  EXPECT_EQ(content, "kept");
}

}  // namespace
}  // namespace ktstr::coordinator
