// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace ktstr::kernel {
namespace {

constexpr int kMaxAttempts = 8;
constexpr long kMaxRedirects = 5;
constexpr long kStallBytesPerSecond = 1024;
constexpr uint64_t kMaxValidatorBytes = 1024;
constexpr size_t kSniffedBytes = 512;

// CURL and CURLM are both void to the compiler.
struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CloseMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::string CaFile(const Download& download) {
  if (!download.ca_file.empty()) return download.ca_file;
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* value = getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

// Whether a body begins as web pages do.
bool LooksLikeHtml(absl::string_view body) {
  body = absl::StripLeadingAsciiWhitespace(body.substr(0, kSniffedBytes));
  return absl::StartsWithIgnoreCase(body, "<!doctype html") ||
         absl::StartsWithIgnoreCase(body, "<html");
}

// What a server said before the body.
struct ReplyHead {
  std::string content_type;
  std::string etag;
  std::string last_modified;
  uint64_t content_length = 0;  // 0 when not said
  uint64_t range_start = 0;     // of "bytes 5-9/10"
  uint64_t range_total = 0;     // 0 when not said

  void AddLine(absl::string_view line) {
    if (absl::StartsWith(line, "HTTP/")) *this = {};  // after a redirect
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const absl::string_view value = absl::StripAsciiWhitespace(parts.second);
    auto is = [&parts](absl::string_view name) {
      return absl::EqualsIgnoreCase(parts.first, name);
    };
    if (is("content-type")) content_type = std::string(value);
    if (is("etag")) etag = std::string(value);
    if (is("last-modified")) last_modified = std::string(value);
    if (is("content-length") && !absl::SimpleAtoi(value, &content_length)) {
      content_length = 0;
    }
    if (is("content-range")) AddRange(value);
  }

  // What If-Range may be asked with: a strong ETag, else the date.
  std::string Validator() const {
    if (!etag.empty() && !absl::StartsWith(etag, "W/")) return etag;
    return last_modified;
  }

 private:
  void AddRange(absl::string_view value) {
    if (!absl::ConsumePrefix(&value, "bytes ")) return;
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(value, absl::MaxSplits('/', 1));
    if (!absl::SimpleAtoi(parts.first.substr(0, parts.first.find('-')),
                          &range_start)) {
      range_start = 0;
    }
    if (!absl::SimpleAtoi(parts.second, &range_total)) range_total = 0;
  }
};

// One file on its way, over as many connections as it takes.
class Transfer {
 public:
  explicit Transfer(const Download& download)
      : download_(download),
        part_path_(download.path + ".part"),
        validator_path_(download.path + ".part.of") {}

  absl::Status Run();

 private:
  enum class End { kDone, kBroken, kFailed };

  absl::Status Open();
  absl::Status Finish();
  void Forget();
  absl::Status StartAnew();

  // One request. kBroken means that another one may go on.
  End Attempt();
  void Configure(CURL* easy);
  absl::StatusOr<CURLcode> Perform(CURL* easy);
  End Judge(CURLcode code);
  absl::Status FromCurl(CURLcode code) const;
  absl::Status FromHttp(long status) const;

  // False with status_ set when the body must not be taken.
  bool Begin();
  size_t Take(absl::string_view bytes);

  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);

  std::string Where() const { return download_.url; }

  const Download& download_;
  const std::string part_path_;
  const std::string validator_path_;
  UniqueFd part_;
  std::string validator_;
  uint64_t size_ = 0;       // of the part file
  uint64_t total_ = 0;      // of the whole file; 0 while unknown
  bool has_begun_ = false;  // the body of this reply
  bool is_body_ours_ = false;
  ReplyHead head_;
  CURL* easy_ = nullptr;
  char curl_error_[CURL_ERROR_SIZE] = {};
  absl::Status status_;  // why the last attempt ended
};

absl::Status Transfer::Open() {
  ABSL_ASSIGN_OR_RETURN(part_, OpenFile(part_path_, O_RDWR | O_CREAT, 0644));
  struct stat status;
  if (fstat(part_.get(), &status) != 0) {
    return absl::ErrnoToStatus(errno, part_path_);
  }
  size_ = status.st_size;
  if (auto text = ReadFile(validator_path_, kMaxValidatorBytes); text.ok()) {
    validator_ = std::string(absl::StripAsciiWhitespace(*text));
  }
  if (!download_.resume || validator_.empty()) return StartAnew();
  return absl::OkStatus();
}

absl::Status Transfer::StartAnew() {
  if (ftruncate(part_.get(), 0) != 0) {
    return absl::ErrnoToStatus(errno, part_path_);
  }
  size_ = 0;
  validator_.clear();
  return RemoveTree(validator_path_);
}

void Transfer::Forget() {
  part_.Reset();
  RemoveTree(part_path_).IgnoreError();
  RemoveTree(validator_path_).IgnoreError();
}

absl::Status Transfer::Finish() {
  if (fsync(part_.get()) != 0) return absl::ErrnoToStatus(errno, part_path_);
  if (rename(part_path_.c_str(), download_.path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, download_.path);
  }
  return RemoveTree(validator_path_);
}

absl::Status Transfer::Run() {
  ABSL_RETURN_IF_ERROR(RemoveTree(download_.path));
  ABSL_RETURN_IF_ERROR(Open());
  End end = End::kBroken;
  for (int attempt = 0; attempt < kMaxAttempts && end == End::kBroken;
       ++attempt) {
    const uint64_t size_before = size_;
    end = Attempt();
    if (end == End::kBroken && size_ <= size_before) break;
  }
  if (end == End::kDone) {
    status_ = Finish();
    if (status_.ok()) return status_;
  }
  const bool is_kept =
      (absl::IsUnavailable(status_) || absl::IsCancelled(status_)) &&
      size_ > 0 && download_.resume && !validator_.empty();
  if (!is_kept) {
    Forget();
    return status_;
  }
  return absl::Status(
      status_.code(),
      absl::StrCat(status_.message(), "; ", size_, " bytes",
                   total_ > 0 ? absl::StrCat(" of ", total_) : "",
                   " are kept, and the next try goes on there"));
}

size_t Transfer::OnHeader(char* bytes, size_t size, size_t count, void* self) {
  static_cast<Transfer*>(self)->head_.AddLine(
      absl::string_view(bytes, size * count));
  return size * count;
}

size_t Transfer::OnBody(char* bytes, size_t size, size_t count, void* self) {
  return static_cast<Transfer*>(self)->Take(
      absl::string_view(bytes, size * count));
}

bool Transfer::Begin() {
  has_begun_ = true;
  long code = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &code);
  if (code != 200 && code != 206) return true;  // Judge() says it
  if (code == 206 && head_.range_start != size_) {
    status_ = absl::UnavailableError(
        absl::StrCat(Where(), ": the server continues at another byte (",
                     head_.range_start, ") than asked for (", size_, ")"));
    return false;
  }
  if (code == 200) {
    status_ = StartAnew();
    if (!status_.ok()) return false;
    if (download_.resume && head_.Validator().size() < kMaxValidatorBytes) {
      validator_ = head_.Validator();
      status_ = WriteFileAtomically(validator_path_, validator_);
      if (!status_.ok()) return false;
    }
  }
  total_ = code == 206 ? head_.range_total : head_.content_length;
  if (absl::StartsWithIgnoreCase(head_.content_type, "text/html")) {
    status_ = absl::DataLossError(absl::StrCat(
        Where(),
        ": a web page came instead of the file (is there a proxy or a "
        "login page in between?)"));
    return false;
  }
  if (total_ > download_.max_bytes) {
    status_ = absl::ResourceExhaustedError(
        absl::StrCat(Where(), ": ", total_, " bytes, at most ",
                     download_.max_bytes, " are accepted"));
    return false;
  }
  is_body_ours_ = true;
  return true;
}

size_t Transfer::Take(absl::string_view bytes) {
  constexpr size_t kStop = 0;
  if (!has_begun_ && !Begin()) return kStop;
  if (!is_body_ours_) return bytes.size();
  if (size_ == 0 && LooksLikeHtml(bytes)) {
    status_ = absl::DataLossError(
        absl::StrCat(Where(), ": a web page came instead of the file"));
    return kStop;
  }
  if (bytes.size() >
      download_.max_bytes - std::min(size_, download_.max_bytes)) {
    status_ = absl::ResourceExhaustedError(absl::StrCat(
        Where(), ": longer than the ", download_.max_bytes, " bytes accepted"));
    return kStop;
  }
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = pwrite(part_.get(), bytes.data() + written,
                                 bytes.size() - written, size_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      status_ = absl::ErrnoToStatus(errno, absl::StrCat("write ", part_path_));
      return kStop;
    }
    written += count;
    size_ += count;
  }
  if (download_.on_progress) download_.on_progress(size_, total_);
  return bytes.size();
}

void Transfer::Configure(CURL* easy) {
  const Download& download = download_;
  curl_easy_setopt(easy, CURLOPT_URL, download.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "ktstr");
  curl_easy_setopt(
      easy, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(download.connect_timeout)));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  curl_easy_setopt(
      easy, CURLOPT_LOW_SPEED_TIME,
      static_cast<long>(absl::ToInt64Seconds(download.stall_timeout)));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_error_);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (std::string ca_file = CaFile(download); !ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
  }
}

Transfer::End Transfer::Attempt() {
  std::unique_ptr<CURL, CloseEasy> easy(curl_easy_init());
  if (easy == nullptr) {
    status_ = absl::ResourceExhaustedError("curl_easy_init");
    return End::kFailed;
  }
  easy_ = easy.get();
  has_begun_ = is_body_ours_ = false;
  head_ = {};
  status_ = absl::OkStatus();
  curl_error_[0] = '\0';
  Configure(easy_);
  std::unique_ptr<curl_slist, FreeList> headers;
  if (size_ > 0) {
    // Not CURLOPT_RESUME_FROM, which takes a server's fresh start for an error.
    curl_easy_setopt(easy_, CURLOPT_RANGE, absl::StrCat(size_, "-").c_str());
    headers.reset(curl_slist_append(
        nullptr, absl::StrCat("If-Range: ", validator_).c_str()));
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers.get());
  }
  absl::StatusOr<CURLcode> code = Perform(easy_);
  if (!code.ok()) {
    status_ = code.status();
    return End::kFailed;
  }
  return Judge(*code);
}

// Runs the request to its end, or to the caller's.
absl::StatusOr<CURLcode> Transfer::Perform(CURL* easy) {
  // Destroyed last first: the request leaves before its handle goes.
  std::unique_ptr<CURLM, CloseMulti> multi(curl_multi_init());
  if (multi == nullptr) return absl::ResourceExhaustedError("curl_multi_init");
  if (CURLMcode code = curl_multi_add_handle(multi.get(), easy);
      code != CURLM_OK) {
    return absl::InternalError(curl_multi_strerror(code));
  }
  struct Leave {
    CURLM* multi;
    CURL* easy;
    ~Leave() { curl_multi_remove_handle(multi, easy); }
  } leave{multi.get(), easy};

  int running = 1;
  while (true) {
    CURLMcode code = curl_multi_perform(multi.get(), &running);
    if (code != CURLM_OK) {
      return absl::InternalError(curl_multi_strerror(code));
    }
    if (running == 0) break;
    // Ends early for bytes, for a cancel, and for curl's own deadlines.
    curl_waitfd cancel = {download_.cancel_fd, CURL_WAIT_POLLIN, 0};
    code =
        curl_multi_poll(multi.get(), &cancel, download_.cancel_fd >= 0 ? 1 : 0,
                        absl::ToInt64Milliseconds(absl::Seconds(60)), nullptr);
    if (code != CURLM_OK) {
      return absl::InternalError(curl_multi_strerror(code));
    }
    if (download_.cancel_fd >= 0 && cancel.revents != 0) {
      return absl::CancelledError(absl::StrCat(Where(), ": stopped"));
    }
  }
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi.get(), &left);
  if (message == nullptr || message->msg != CURLMSG_DONE) {
    return absl::InternalError(absl::StrCat(Where(), ": curl says no end"));
  }
  return message->data.result;
}

Transfer::End Transfer::Judge(CURLcode code) {
  if (!status_.ok()) return End::kFailed;  // ours, said while the body came
  if (code == CURLE_OK && !has_begun_ && !Begin()) return End::kFailed;
  long reply = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &reply);
  if (code == CURLE_OK && is_body_ours_) {
    if (total_ == 0 || size_ == total_) return End::kDone;
    status_ = absl::UnavailableError(
        absl::StrCat(Where(), ": ", size_, " of ", total_, " bytes came"));
    return size_ < total_ ? End::kBroken : End::kFailed;
  }
  if (code == CURLE_OK && reply == 416 && size_ > 0) {
    // What lies here is no beginning of what the server has.
    if (status_ = StartAnew(); !status_.ok()) return End::kFailed;
    return Attempt();
  }
  status_ = code == CURLE_OK ? FromHttp(reply) : FromCurl(code);
  return is_body_ours_ && absl::IsUnavailable(status_) && !validator_.empty()
             ? End::kBroken
             : End::kFailed;
}

absl::Status Transfer::FromHttp(long status) const {
  const std::string text =
      absl::StrCat(Where(), ": the server answers ", status);
  if (status == 404 || status == 410) {
    return absl::NotFoundError(absl::StrCat(text, ", there is no such file"));
  }
  if (status == 408 || status == 429 || status >= 500) {
    return absl::UnavailableError(text);
  }
  return absl::FailedPreconditionError(text);
}

absl::Status Transfer::FromCurl(CURLcode code) const {
  const std::string text = absl::StrCat(
      Where(), ": ",
      curl_error_[0] != '\0' ? curl_error_ : curl_easy_strerror(code));
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return absl::PermissionDeniedError(
          absl::StrCat(text,
                       " (SSL_CERT_FILE names a file of certificates to "
                       "trust)"));
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::PermissionDeniedError(
          absl::StrCat(text, " (only https is followed)"));
    case CURLE_TOO_MANY_REDIRECTS:
      return absl::FailedPreconditionError(text);
    default:
      return absl::UnavailableError(text);
  }
}

void InitialiseCurl() {
  static absl::once_flag once;
  absl::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

absl::Status GetFile(const Download& download) {
  if (!absl::StartsWithIgnoreCase(download.url, "https://")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", download.url, "\" is no https URL: nothing else is fetched"));
  }
  InitialiseCurl();
  return Transfer(download).Run();
}

}  // namespace ktstr::kernel
