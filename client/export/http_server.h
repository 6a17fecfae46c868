// SPDX-License-Identifier: Apache-2.0
//
// A web server of one page, for scrapers; the only home of libmicrohttpd. Everything that comes in is hostile: there
// are limits on the number of connections, on how long one may take and on what its request may hold, and each
// connection gets one answer. Threads are libmicrohttpd's; the page is made in them, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "client/export/exposition.h"

struct MHD_Connection;
struct MHD_Daemon;

namespace taskmon::client {

struct ListenAddress {
  sockaddr_storage address{};
  socklen_t length = 0;
  std::string text;  // as it is said to people
  bool loopback = false;
};

// "HOST:PORT" with a numeric host, "[::1]:PORT", or a PORT alone, which is on 127.0.0.1.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text_untrusted);

class HttpServer {
 public:
  static constexpr unsigned kMaxConnections = 16;
  static constexpr unsigned kIdleSeconds = 5;
  static constexpr int64_t kLongestNs = 30'000'000'000;  // all of a connection, the making of the page included
  static constexpr size_t kMaxRequestBytes = 8 * 1024;

  using MakePage = std::function<std::string(Dialect)>;

  explicit HttpServer(MakePage make_page) : make_page_(std::move(make_page)) {}
  ~HttpServer() { Stop(); }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // InvalidArgument: the address cannot be listened on.
  absl::Status Start(const ListenAddress& address);
  // Breaks off connections that take too long. To be called from time to time.
  void BreakOffSlow(int64_t now_ns);
  void Stop();

 private:
  friend struct HttpCallbacks;  // what libmicrohttpd calls

  int Answer(MHD_Connection* connection, std::string_view url, std::string_view method);
  void Opened(int fd);
  void Closed(int fd);

  const MakePage make_page_;
  MHD_Daemon* daemon_ = nullptr;
  std::mutex page_mutex_;
  std::mutex connections_mutex_;
  std::map<int, int64_t> since_ns_;  // by descriptor; guarded by connections_mutex_
};

}  // namespace taskmon::client
