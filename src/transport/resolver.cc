// SPDX-License-Identifier: Apache-2.0
#include "transport/resolver.h"

#include <cstring>
#include <deque>
#include <sys/socket.h>
#include <system_error>
#include <thread>

#include <netdb.h>

#include "base/mutex.h"
#include "base/thread.h"

namespace drumbeat::transport {

struct Resolver::State {
  base::Mutex mutex;
  /// Null once it is gone.
  Resolver* resolver DRUMBEAT_GUARDED_BY(mutex) = nullptr;
  std::deque<Task> waiting DRUMBEAT_GUARDED_BY(mutex);
  std::size_t threads DRUMBEAT_GUARDED_BY(mutex) = 0;
};

namespace {

Tcp::endpoint ToEndpoint(const addrinfo& info) {
  Tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), info.ai_addr, info.ai_addrlen);
  endpoint.resize(info.ai_addrlen);
  return endpoint;
}

}  // namespace

std::vector<Tcp::endpoint> LookUp(const HostPort& target, std::string& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure =
      ::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (failure != 0) {
    error = "look up " + target.host + ": " + ::gai_strerror(failure);
    return {};
  }
  std::vector<Tcp::endpoint> endpoints;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (info->ai_family == AF_INET || info->ai_family == AF_INET6) {
      endpoints.push_back(ToEndpoint(*info));
    }
  }
  ::freeaddrinfo(found);
  if (endpoints.empty()) error = "look up " + target.host + ": no addresses";
  return endpoints;
}

Resolver::Resolver(asio::io_context& context)
    : context_(context), state_(std::make_shared<State>()) {
  base::MutexLock lock(state_->mutex);
  state_->resolver = this;
}

Resolver::~Resolver() {
  base::MutexLock lock(state_->mutex);
  state_->resolver = nullptr;
  state_->waiting.clear();
}

void Resolver::Resolve(const HostPort& target, Done done) {
  const std::uint64_t id = ++last_id_;
  callbacks_.emplace(id, std::move(done));
  AsioError no_literal;
  const asio::ip::address literal = asio::ip::make_address(target.host, no_literal);
  if (!no_literal) {
    asio::post(context_, [this, id, endpoint = Tcp::endpoint(literal, target.port)] {
      Finish(id, {endpoint}, {});
    });
    return;
  }
  {
    base::MutexLock lock(state_->mutex);
    state_->waiting.push_back({.id = id, .target = target});
    if (state_->threads == kMaxThreads) return;
    ++state_->threads;
  }
  try {
    base::StartThread("db-resolver", [state = state_] { Work(state); }).detach();
  } catch (const std::system_error&) {
    // Whoever waits gives up by its own time limit; the next lookup tries again.
    base::MutexLock lock(state_->mutex);
    --state_->threads;
  }
}

void Resolver::Finish(std::uint64_t id, std::vector<Tcp::endpoint> endpoints, std::string error) {
  auto callback = callbacks_.extract(id);
  if (!callback.empty()) callback.mapped()(std::move(endpoints), std::move(error));
}

void Resolver::Work(const std::shared_ptr<State>& state) {
  while (true) {
    Task task;
    {
      base::MutexLock lock(state->mutex);
      if (state->waiting.empty()) {
        --state->threads;
        return;
      }
      task = std::move(state->waiting.front());
      state->waiting.pop_front();
    }
    std::string error;
    std::vector<Tcp::endpoint> endpoints = LookUp(task.target, error);
    base::MutexLock lock(state->mutex);
    if (state->resolver == nullptr) return;
    asio::post(state->resolver->context_,
               [resolver = state->resolver, id = task.id, endpoints = std::move(endpoints),
                error = std::move(error)]() mutable {
                 resolver->Finish(id, std::move(endpoints), std::move(error));
               });
  }
}

}  // namespace drumbeat::transport
