// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/fetch.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gtest/gtest.h"
#include "kernel/testing/https_server.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class FetchTest : public testing::Test {
 protected:
  FetchTest() : dir_(*TempDir::Create("fetch")) {}
  void Serve(HttpsServer::Handler handler) {
    server_ = *HttpsServer::Start(std::move(handler));
    const std::string ca_file = JoinPath(dir_.path(), "ca.pem");
    ASSERT_OK(WriteFileAtomically(ca_file, server_->certificate_pem()));
    setenv("SSL_CERT_FILE", ca_file.c_str(), 1);
    unsetenv("https_proxy");
    unsetenv("CURL_CA_BUNDLE");
    request_ = {.program = "kernel/ktstr_fetch",
                .url = server_->url() + "/file",
                .path = JoinPath(dir_.path(), "got")};
  }

  TempDir dir_;
  FetchRequest request_;
  std::unique_ptr<HttpsServer> server_;
};

TEST_F(FetchTest, BringsTheFile) {
  const std::string content(1'000'000, 'x');
  Serve([=](const HttpRequest&) { return HttpReply{.body = content}; });
  uint64_t done = 0;
  request_.on_progress = [&](uint64_t so_far, uint64_t total) {
    done = so_far;
    EXPECT_EQ(total, content.size());
  };
  EXPECT_OK(Fetch(request_));
  EXPECT_THAT(ReadFile(request_.path), IsOkAndHolds(content));
  EXPECT_EQ(done, content.size());
}

TEST_F(FetchTest, ErrorsKeepTheirKindAndSentence) {
  Serve([](const HttpRequest&) { return HttpReply{.status = 404}; });
  EXPECT_THAT(Fetch(request_),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("/file: the server answers 404")));
}

TEST_F(FetchTest, LimitsAndResumptionAreHandedOn) {
  Serve([](const HttpRequest& request) {
    return HttpReply{
        .body = std::string(100'000, 'x'),
        .etag = "\"one\"",
        .cut_after = request.headers.count("range") == 0 ? 50'000 : 0};
  });
  request_.resume = true;
  EXPECT_THAT(Fetch(request_), StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr("50000 bytes of 100000")));
  EXPECT_TRUE(FileExists(request_.path + ".part"));
  request_.resume = false;
  request_.max_bytes = 99'999;
  EXPECT_THAT(Fetch(request_), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_FALSE(FileExists(request_.path + ".part"));
}

TEST_F(FetchTest, CancelEndsTheProgram) {
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
  Serve([&](const HttpRequest&) {
    eventfd_write(cancel.get(), 1);
    return HttpReply{.body = "body", .cut_after = 0, .hangs = true};
  });
  request_.cancel_fd = cancel.get();
  EXPECT_THAT(Fetch(request_), StatusIs(absl::StatusCode::kCancelled));
  server_.reset();  // its handler holds `cancel`
}

TEST_F(FetchTest, WithoutTheProgramNothingCanBeGot) {
  request_.url = "https://localhost/x";
  EXPECT_THAT(Fetch(request_), StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr("ktstr_fetch")));
  request_.program = "/nonexistent/ktstr_fetch";
  EXPECT_THAT(Fetch(request_), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace ktstr::kernel
