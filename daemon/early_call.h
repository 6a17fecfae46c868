// SPDX-License-Identifier: Apache-2.0
//
// Makes gRPC hand a call over as soon as its headers are there, and its handler read the request. Of other calls gRPC
// waits for the request itself: those whose request never comes would be counted nowhere, and be without a limit. What
// goes over the wire is the same.
#pragma once

#include <functional>
#include <utility>

#include <grpcpp/support/method_handler.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

namespace taskmon::daemon {

// Reads one request and writes answers, of a method with one answer just that one.
template <typename Request, typename Reply>
using EarlyCall = grpc::ServerSplitStreamer<Request, Reply>;

// For grpc::Service::MarkMethodStreamed, which owns it.
template <typename Request, typename Reply>
grpc::internal::MethodHandler* EarlyHandler(
    std::function<grpc::Status(grpc::ServerContext*, EarlyCall<Request, Reply>*)> answer) {
  return new grpc::internal::SplitServerStreamingHandler<Request, Reply>(std::move(answer));
}

// The number under which the generated service has a method of the file that has its request.
template <typename Request>
int MethodIndex(const char* service, const char* method) {
  return Request::descriptor()->file()->FindServiceByName(service)->FindMethodByName(method)->index();
}

}  // namespace taskmon::daemon
