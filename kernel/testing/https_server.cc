// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/testing/https_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kMaxRequestBytes = 64 << 10;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeConnection {
  void operator()(SSL* connection) const { SSL_free(connection); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Certificate = std::unique_ptr<X509, FreeCertificate>;

void AddExtension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signs itself: the authority and the server are one.
Certificate MakeCertificate(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24 * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const std::string common_name = "localhost";
  // SAFETY: OpenSSL's text is unsigned char; it only reads.
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  AddExtension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate.get(), NID_subject_alt_name, "DNS:localhost");
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

std::string PemOf(X509* certificate) {
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate);
  char* bytes = nullptr;
  const int64_t size = BIO_get_mem_data(memory, &bytes);
  std::string pem(bytes, size);
  BIO_free(memory);
  return pem;
}

bool Send(SSL* connection, absl::string_view bytes) {
  while (!bytes.empty()) {
    const int sent = SSL_write(connection, bytes.data(),
                               std::min<size_t>(bytes.size(), 1 << 20));
    if (sent <= 0) return false;
    bytes.remove_prefix(sent);
  }
  return true;
}

// The head of a request; false when the client went before its end.
bool Receive(SSL* connection, HttpRequest& request) {
  std::string head;
  char buffer[4096];
  while (head.find("\r\n\r\n") == head.npos) {
    const int count = SSL_read(connection, buffer, sizeof(buffer));
    if (count <= 0 || head.size() > kMaxRequestBytes) return false;
    head.append(buffer, count);
  }
  std::vector<std::string> lines = absl::StrSplit(head, "\r\n");
  std::vector<std::string> words = absl::StrSplit(lines[0], ' ');
  if (words.size() < 2) return false;
  request.path = words[1];
  for (size_t i = 1; i < lines.size(); ++i) {
    std::pair<std::string, std::string> parts =
        absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    if (parts.first.empty()) continue;
    request.headers[absl::AsciiStrToLower(parts.first)] =
        std::string(absl::StripAsciiWhitespace(parts.second));
  }
  return true;
}

// Where the client wants to go on; 0 for the whole.
size_t RangeStart(const HttpRequest& request, const HttpReply& reply) {
  auto range = request.headers.find("range");
  auto condition = request.headers.find("if-range");
  if (reply.etag.empty() || range == request.headers.end() ||
      (condition != request.headers.end() && condition->second != reply.etag)) {
    return 0;
  }
  absl::string_view value = range->second;
  size_t start = 0;
  if (!absl::ConsumePrefix(&value, "bytes=") ||
      !absl::SimpleAtoi(absl::StripSuffix(value, "-"), &start)) {
    return 0;
  }
  return start;
}

std::string Head(const HttpReply& reply, int status, size_t start) {
  std::string head = absl::StrCat("HTTP/1.1 ", status,
                                  " Status\r\nConnection: close\r\n"
                                  "Content-Type: ",
                                  reply.content_type, "\r\n");
  if (!reply.hides_length) {
    absl::StrAppend(&head, "Content-Length: ",
                    status == 416 ? 0 : reply.body.size() - start, "\r\n");
  }
  if (!reply.etag.empty()) absl::StrAppend(&head, "ETag: ", reply.etag, "\r\n");
  if (!reply.location.empty()) {
    absl::StrAppend(&head, "Location: ", reply.location, "\r\n");
  }
  if (status == 206) {
    absl::StrAppend(&head, "Content-Range: bytes ", start, "-",
                    reply.body.size() - 1, "/", reply.body.size(), "\r\n");
  }
  return head + "\r\n";
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpsServer>> HttpsServer::Start(
    Handler handler) {
  auto server = std::unique_ptr<HttpsServer>(new HttpsServer);
  server->handler_ = std::move(handler);
  Key key(EVP_EC_gen("P-256"));
  Certificate certificate = MakeCertificate(key.get());
  server->certificate_pem_ = PemOf(certificate.get());
  server->context_.reset(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate(server->context_.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(server->context_.get(), key.get()) != 1) {
    return absl::InternalError("test server: no certificate");
  }
  server->stop_.Reset(eventfd(0, EFD_CLOEXEC));
  server->listener_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  // SAFETY: sockaddr_in is a sockaddr to every socket call.
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(server->listener_.get(), generic, size) != 0 ||
      listen(server->listener_.get(), 64) != 0 ||
      getsockname(server->listener_.get(), generic, &size) != 0) {
    return absl::ErrnoToStatus(errno, "test server: listen");
  }
  server->port_ = ntohs(address.sin_port);
  server->acceptor_ =
      Thread("https-accept", [raw = server.get()] { raw->Accept(); });
  return server;
}

HttpsServer::~HttpsServer() {
  eventfd_write(stop_.get(), 1);
  acceptor_.Join();
  connections_.clear();
}

std::string HttpsServer::url() const {
  return absl::StrCat("https://localhost:", port_);
}

std::vector<HttpRequest> HttpsServer::requests() const {
  MutexLock lock(&mutex_);
  return requests_;
}

void HttpsServer::AwaitRequest(absl::string_view path) {
  MutexLock lock(&mutex_);
  mutex_.Await([this, path]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return std::any_of(
        requests_.begin(), requests_.end(),
        [path](const HttpRequest& request) { return request.path == path; });
  });
}

void HttpsServer::Accept() {
  while (true) {
    pollfd fds[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    if (fds[0].revents == 0) continue;
    const int connection =
        accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    connections_.emplace_back("https-serve",
                              [this, connection] { Serve(connection); });
  }
}

void HttpsServer::Serve(int connection) {
  UniqueFd fd(connection);
  // A client that went away is no reason to end the test.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);

  std::unique_ptr<SSL, FreeConnection> ssl(SSL_new(context_.get()));
  SSL_set_fd(ssl.get(), connection);
  HttpRequest request;
  if (SSL_accept(ssl.get()) != 1 || !Receive(ssl.get(), request)) return;
  {
    MutexLock lock(&mutex_);
    requests_.push_back(request);
  }
  const HttpReply reply = handler_(request);
  const size_t start = RangeStart(request, reply);
  int status = reply.status;
  if (start > 0) status = start < reply.body.size() ? 206 : 416;
  absl::string_view body = reply.body;
  body.remove_prefix(std::min(start, body.size()));
  const bool is_cut = reply.cut_after >= 0 &&
                      static_cast<size_t>(reply.cut_after) < body.size();
  if (is_cut) body = body.substr(0, reply.cut_after);
  if (!Send(ssl.get(), Head(reply, status, start)) || !Send(ssl.get(), body)) {
    return;
  }
  if (is_cut && reply.hangs) {
    pollfd fds[] = {{connection, POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    return;
  }
  if (is_cut) return;  // no goodbye
  SSL_shutdown(ssl.get());
}

}  // namespace ktstr::kernel
