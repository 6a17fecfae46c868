// SPDX-License-Identifier: Apache-2.0
#include "client/export/http_server.h"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <microhttpd.h>

namespace taskmon::client {
namespace {

int64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

bool FillAddress(const std::string& host, uint16_t port, ListenAddress* into) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    std::memcpy(&into->address, &v4, sizeof(v4));
    into->length = sizeof(v4);
    into->loopback = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    return true;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return false;
  std::memcpy(&into->address, &v6, sizeof(v6));
  into->length = sizeof(v6);
  into->loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  return true;
}

int Reply(MHD_Connection* connection, unsigned code, const std::string& text, std::string_view type) {
  MHD_Response* response =
      MHD_create_response_from_buffer(text.size(), const_cast<char*>(text.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, std::string(type).c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  if (code == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result queued = MHD_queue_response(connection, code, response);
  MHD_destroy_response(response);
  return queued;
}

Dialect AskedFor(MHD_Connection* connection) {
  const char* accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
  const bool open =
      accept != nullptr && std::string_view(accept).find("application/openmetrics-text") != std::string_view::npos;
  return open ? Dialect::kOpenMetrics : Dialect::kPrometheus;
}

}  // namespace

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "127.0.0.1" : text.substr(0, colon);
  if (host.empty()) host = "127.0.0.1";
  if (host == "localhost") host = "127.0.0.1";
  const std::optional<uint16_t> port = ParsePort(colon == std::string::npos ? text : text.substr(colon + 1));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  ListenAddress address;
  const bool bare_v6 = !bracketed && host.find(':') != std::string::npos;
  if (!port || bare_v6 || !FillAddress(host, *port, &address)) {
    return absl::InvalidArgumentError(
        fmt::format("--listen takes an address and a port, as in 127.0.0.1:9843 or [::1]:9843; not '{}'", text));
  }
  address.text = fmt::format("{}:{}", bracketed ? "[" + host + "]" : host, *port);
  return address;
}

struct HttpCallbacks {
  static MHD_Result Handle(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                           const char*, size_t*, void**) {
    return static_cast<MHD_Result>(static_cast<HttpServer*>(self)->Answer(connection, url, method));
  }

  static void Notify(void* self, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == nullptr) return;
    auto* server = static_cast<HttpServer*>(self);
    code == MHD_CONNECTION_NOTIFY_STARTED ? server->Opened(info->connect_fd) : server->Closed(info->connect_fd);
  }

  // What hostile clients send is no news.
  static void Log(void*, const char*, va_list) {}
};

absl::Status HttpServer::Start(const ListenAddress& address) {
  const int fd = socket(address.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto* where = reinterpret_cast<const sockaddr*>(&address.address);
  if (fd < 0 || bind(fd, where, address.length) != 0 || listen(fd, kMaxConnections) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return absl::InvalidArgumentError(
        fmt::format("cannot listen on {}: {}; name another address or port", address.text, std::strerror(error)));
  }
  daemon_ = MHD_start_daemon(
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ERROR_LOG, 0, nullptr,
      nullptr, &HttpCallbacks::Handle, this, MHD_OPTION_EXTERNAL_LOGGER, &HttpCallbacks::Log, nullptr,
      MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, kMaxConnections, MHD_OPTION_CONNECTION_TIMEOUT,
      kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMaxRequestBytes, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_NOTIFY_CONNECTION, &HttpCallbacks::Notify, this, MHD_OPTION_END);
  if (daemon_ == nullptr) {
    close(fd);
    return absl::InternalError("the web server did not start");
  }
  return absl::OkStatus();
}

void HttpServer::Stop() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
}

void HttpServer::Opened(int fd) {
  const std::lock_guard lock(connections_mutex_);
  since_ns_[fd] = MonotonicNs();
}

void HttpServer::Closed(int fd) {
  const std::lock_guard lock(connections_mutex_);
  since_ns_.erase(fd);
}

// The idle time does not bound whoever sends a byte now and then. The descriptor stays open until Closed was called, so
// it is still the connection's.
void HttpServer::BreakOffSlow(int64_t now_ns) {
  const std::lock_guard lock(connections_mutex_);
  for (const auto& [fd, since_ns] : since_ns_) {
    if (now_ns - since_ns > kLongestNs) shutdown(fd, SHUT_RDWR);
  }
}

int HttpServer::Answer(MHD_Connection* connection, std::string_view url, std::string_view method) {
  constexpr std::string_view kPlain = "text/plain; charset=utf-8";
  if (method != "GET" && method != "HEAD") return Reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n", kPlain);
  if (url == "/") return Reply(connection, MHD_HTTP_OK, "taskmon: the metrics are at /metrics\n", kPlain);
  if (url != "/metrics") return Reply(connection, MHD_HTTP_NOT_FOUND, "not here; try /metrics\n", kPlain);
  const Dialect dialect = AskedFor(connection);
  const std::lock_guard lock(page_mutex_);
  return Reply(connection, MHD_HTTP_OK, make_page_(dialect), ContentType(dialect));
}

}  // namespace taskmon::client
