// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/http.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include <atomic>
#include <memory>
#include <string>

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
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string SomeBytes(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i)
    bytes += static_cast<char>(i * 7 + i / 251);
  return bytes;
}

class GetFileTest : public testing::Test {
 protected:
  GetFileTest() : dir_(*TempDir::Create("http")) {
    unsetenv("https_proxy");
    unsetenv("CURL_CA_BUNDLE");
    unsetenv("HTTPS_PROXY");
    unsetenv("ALL_PROXY");
  }
  // What the server does with the request of this number, from 0.
  void Serve(std::function<HttpReply(const HttpRequest&, int)> handler) {
    server_ = *HttpsServer::Start(
        [this, handler = std::move(handler)](const HttpRequest& request) {
          return handler(request, count_++);
        });
    const std::string ca_file = JoinPath(dir_.path(), "ca.pem");
    ASSERT_OK(WriteFileAtomically(ca_file, server_->certificate_pem()));
    download_ = {.url = server_->url() + "/file",
                 .path = JoinPath(dir_.path(), "got"),
                 .resume = true,
                 .ca_file = ca_file};
  }
  absl::Status Get() { return GetFile(download_); }
  absl::StatusOr<std::string> Got() { return ReadFile(download_.path); }
  // Beside the certificate.
  std::vector<std::string> Leftovers() const {
    std::vector<std::string> names = *ListDir(dir_.path());
    std::erase(names, "ca.pem");
    return names;
  }

  TempDir dir_;
  std::atomic<int> count_ = 0;
  Download download_;
  std::unique_ptr<HttpsServer> server_;
};

TEST_F(GetFileTest, BringsTheFileAndSaysHowFarItIs) {
  const std::string content = SomeBytes(300'000);
  Serve([=](const HttpRequest&, int) { return HttpReply{.body = content}; });
  uint64_t done = 0, total = 0;
  download_.on_progress = [&](uint64_t so_far, uint64_t all) {
    EXPECT_GT(so_far, done);
    done = so_far;
    total = all;
  };
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds(content));
  EXPECT_EQ(done, content.size());
  EXPECT_EQ(total, content.size());
  EXPECT_THAT(Leftovers(), testing::ElementsAre("got"));
}

TEST_F(GetFileTest, AnEmptyFileIsAFile) {
  Serve([](const HttpRequest&, int) { return HttpReply{}; });
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds(""));
}

TEST_F(GetFileTest, ABrokenConnectionIsTakenUpWhereItBroke) {
  const std::string content = SomeBytes(500'000);
  Serve([=](const HttpRequest&, int n) {
    return HttpReply{
        .body = content, .etag = "\"one\"", .cut_after = n < 3 ? 100'000 : -1};
  });
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds(content));
  const auto requests = server_->requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0].headers.count("range"), 0u);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(requests[i].headers.at("range"),
              absl::StrCat("bytes=", i * 100'000, "-"));
    EXPECT_EQ(requests[i].headers.at("if-range"), "\"one\"");
  }
}

TEST_F(GetFileTest, TheNextCallGoesOnToo) {
  const std::string content = SomeBytes(200'000);
  Serve([=](const HttpRequest&, int n) {
    // The second connection brings nothing, so the first call gives up.
    const int64_t cut = n == 0 ? 150'000 : n == 1 ? 0 : -1;
    return HttpReply{.body = content, .etag = "\"one\"", .cut_after = cut};
  });
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kUnavailable,
                              HasSubstr("150000 bytes of 200000 are kept")));
  EXPECT_FALSE(FileExists(download_.path));
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds(content));
  EXPECT_EQ(server_->requests().back().headers.at("range"), "bytes=150000-");
}

TEST_F(GetFileTest, AnotherFileMeanwhileMeansAllOfIt) {
  const std::string content = SomeBytes(200'000);
  Serve([=](const HttpRequest&, int n) {
    return n == 0 ? HttpReply{.body = std::string(200'000, 'x'),
                              .etag = "\"one\"",
                              .cut_after = 150'000}
                  : HttpReply{.body = content, .etag = "\"two\""};
  });
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds(content));
}

TEST_F(GetFileTest, AShorterFileMeanwhileMeansAllOfIt) {
  Serve([=](const HttpRequest& request, int n) {
    if (n == 0) {
      return HttpReply{
          .body = SomeBytes(200'000), .etag = "\"one\"", .cut_after = 150'000};
    }
    // Does not look at If-Range.
    return HttpReply{.body = "short",
                     .etag = request.headers.count("range") != 0
                                 ? request.headers.at("if-range")
                                 : "\"two\""};
  });
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds("short"));
}

TEST_F(GetFileTest, WhatCannotGoOnLeavesNothing) {
  Serve([=](const HttpRequest&, int) {
    return HttpReply{.body = SomeBytes(200'000), .cut_after = 150'000};
  });
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Leftovers(), IsEmpty());
}

TEST_F(GetFileTest, AWebPageIsRefused) {
  Serve([](const HttpRequest&, int n) {
    return n == 0 ? HttpReply{.content_type = "text/html; charset=utf-8",
                              .body = "log in"}
                  : HttpReply{.body = "\n <!DOCTYPE html><p>log in"};
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kDataLoss,
                                HasSubstr("a web page came instead")));
    EXPECT_THAT(Leftovers(), IsEmpty());
  }
}

TEST_F(GetFileTest, AnswersAreToldApart) {
  const std::pair<int, absl::StatusCode> table[] = {
      {404, absl::StatusCode::kNotFound},
      {410, absl::StatusCode::kNotFound},
      {403, absl::StatusCode::kFailedPrecondition},
      {429, absl::StatusCode::kUnavailable},
      {503, absl::StatusCode::kUnavailable}};
  Serve([=](const HttpRequest&, int n) {
    return HttpReply{.status = table[n].first, .body = "no"};
  });
  for (auto [number, code] : table) {
    EXPECT_THAT(Get(),
                StatusIs(code, HasSubstr(absl::StrCat("answers ", number))));
    EXPECT_THAT(Leftovers(), IsEmpty());
  }
}

TEST_F(GetFileTest, TooMuchIsRefusedAnnouncedOrNot) {
  Serve([](const HttpRequest&, int n) {
    return HttpReply{.body = std::string(5000, 'x'), .hides_length = n == 1};
  });
  download_.max_bytes = 4999;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("4999")));
    EXPECT_THAT(Leftovers(), IsEmpty());
  }
  download_.max_bytes = 5000;
  EXPECT_OK(Get());
}

TEST_F(GetFileTest, ARedirectIsFollowedToHttpsOnly) {
  Serve([=](const HttpRequest& request, int) {
    if (request.path == "/file") {
      return HttpReply{.status = 302, .location = "/elsewhere"};
    }
    if (request.path == "/away") {
      return HttpReply{.status = 302, .location = "http://localhost:1/file"};
    }
    return HttpReply{.body = "here"};
  });
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds("here"));
  download_.url = server_->url() + "/away";
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kPermissionDenied,
                              HasSubstr("only https is followed")));
}

TEST_F(GetFileTest, AStrangerIsNotTrusted) {
  Serve([](const HttpRequest&, int) { return HttpReply{.body = "x"}; });
  download_.ca_file = "/etc/ssl/certs/ca-certificates.crt";
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kPermissionDenied,
                              HasSubstr("SSL_CERT_FILE")));
}

TEST_F(GetFileTest, SslCertFileIsLookedAt) {
  Serve([](const HttpRequest&, int) { return HttpReply{.body = "x"}; });
  setenv("SSL_CERT_FILE", download_.ca_file.c_str(), 1);
  download_.ca_file.clear();
  EXPECT_OK(Get());
  unsetenv("SSL_CERT_FILE");
}

TEST_F(GetFileTest, NobodyThereIsUnavailable) {
  Serve([](const HttpRequest&, int) { return HttpReply{}; });
  server_.reset();
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Leftovers(), IsEmpty());
}

TEST_F(GetFileTest, OnlyHttpsIsAsked) {
  download_ = {.url = "http://localhost/file", .path = "/nonexistent/x"};
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(GetFileTest, SilenceBreaksTheConnection) {
  const std::string content = SomeBytes(50'000);
  Serve([=](const HttpRequest&, int n) {
    return HttpReply{.body = content,
                     .etag = "\"one\"",
                     .cut_after = n == 0 ? 20'000 : -1,
                     .hangs = true};
  });
  download_.stall_timeout = absl::Seconds(1);
  EXPECT_OK(Get());
  EXPECT_THAT(Got(), IsOkAndHolds(content));
  EXPECT_EQ(server_->requests().size(), 2u);
}

TEST_F(GetFileTest, CancelEndsItAndKeepsWhatCame) {
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
  Serve([=](const HttpRequest&, int) {
    return HttpReply{.body = SomeBytes(50'000),
                     .etag = "\"one\"",
                     .cut_after = 20'000,
                     .hangs = true};
  });
  download_.cancel_fd = cancel.get();
  download_.on_progress = [&](uint64_t, uint64_t) {
    eventfd_write(cancel.get(), 1);
  };
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(Leftovers(), testing::ElementsAre("got.part", "got.part.of"));
}

}  // namespace
}  // namespace ktstr::kernel
