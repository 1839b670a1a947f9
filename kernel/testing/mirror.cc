// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/testing/mirror.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kernel/testing/stand_in_kernel.h"

namespace ktstr::kernel {

Mirror::Mirror(std::string dir) : dir_(std::move(dir)) {
  EXPECT_OK(MakeDirs(dir_));
  server_ = *HttpsServer::Start(
      [this](const HttpRequest& request) { return Answer(request); });
  EXPECT_OK(WriteFileAtomically(ca_file(), server_->certificate_pem()));
}

Mirror::~Mirror() = default;

std::string Mirror::ca_file() const { return JoinPath(dir_, "ca.pem"); }

std::string Mirror::TarballPath(absl::string_view version) {
  if (absl::StrContains(version, "-rc")) {
    return absl::StrCat("/torvalds/t/linux-", version, ".tar.gz");
  }
  return absl::StrCat("/pub/linux/kernel/v6.x/linux-", version, ".tar.xz");
}

void Mirror::Add(absl::string_view version, const std::string& moniker) {
  const std::string path = TarballPath(version);
  const std::string file = JoinPath(dir_, Basename(path));
  PackStandInTree(file, absl::StrCat("linux-", version), version);
  auto bytes = ReadFile(file);
  ASSERT_OK(bytes.status());
  MutexLock lock(&mutex_);
  absl::StrAppend(&sums_, Sha256Hex(*bytes), "  ", Basename(path), "\n");
  files_[path] = *std::move(bytes);
  if (moniker.empty()) return;
  absl::StrAppend(&index_, index_.empty() ? "" : ",", "{\"moniker\":\"",
                  moniker, "\",\"version\":\"", version, "\",\"iseol\":false}");
}

void Mirror::SignWith(const Signer* signer) {
  MutexLock lock(&mutex_);
  signer_ = signer;
}

void Mirror::Change(const std::string& path, Twist twist) {
  MutexLock lock(&mutex_);
  counts_[path] = 0;
  twists_[path] = std::move(twist);
}

int Mirror::Requests(absl::string_view path) const {
  int count = 0;
  for (const HttpRequest& request : server_->requests()) {
    count += request.path == path;
  }
  return count;
}

HttpReply Mirror::Answer(const HttpRequest& request) {
  HttpReply reply;
  Twist twist;
  int count = 0;
  {
    MutexLock lock(&mutex_);
    if (auto file = files_.find(request.path); file != files_.end()) {
      reply.body = file->second;
      reply.etag = absl::StrCat("\"", Sha256Hex(reply.body), "\"");
    } else if (request.path == kIndex) {
      reply.content_type = "application/json";
      reply.body = absl::StrCat("{\"releases\":[", index_, "]}");
    } else if (request.path == kSums) {
      reply.content_type = "text/plain";
      reply.body = sums_;
      if (signer_ != nullptr) reply.body = *signer_->ClearSign(sums_);
    } else {
      reply = {.status = 404, .content_type = "text/html", .body = "<html>no"};
    }
    if (auto it = twists_.find(request.path); it != twists_.end()) {
      twist = it->second;
      count = counts_[request.path]++;
    }
  }
  if (twist) twist(reply, count);
  return reply;
}

}  // namespace ktstr::kernel
