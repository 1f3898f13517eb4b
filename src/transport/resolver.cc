// SPDX-License-Identifier: Apache-2.0
#include "transport/resolver.h"

#include <cstring>
#include <exception>
#include <iterator>
#include <sys/socket.h>
#include <thread>

#include <netdb.h>

#include "base/mutex.h"
#include "base/thread.h"

namespace drumbeat::transport {

/// One look-up.
struct Resolver::Job {
  std::string host;
  Lane* lane = nullptr;

  // The I/O thread's.
  bool running = false;
  /// Since when it does so, or waits.
  Time since;

  // Guarded by Shared::mutex.
  bool done = false;
  Endpoints endpoints;
  std::string error;
};

struct Resolver::Shared {
  explicit Shared(Function function) : look_up(std::move(function)) {}

  const Function look_up;
  base::Mutex mutex;
  /// Null once it is gone.
  Resolver* resolver DRUMBEAT_GUARDED_BY(mutex) = nullptr;
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

Resolver::Resolver(asio::io_context& context) : Resolver(context, LookUp, Limits()) {}

Resolver::Resolver(asio::io_context& context, Function look_up, const Limits& limits)
    : context_(context),
      limits_(limits),
      timer_(context),
      shared_(std::make_shared<Shared>(std::move(look_up))) {
  const base::MutexLock lock(shared_->mutex);
  shared_->resolver = this;
}

Resolver::~Resolver() {
  const base::MutexLock lock(shared_->mutex);
  shared_->resolver = nullptr;
}

void Resolver::Resolve(const HostPort& target, Done done) {
  const Time now = Clock::now();
  Waiter waiter{.port = target.port, .done = std::move(done), .since = now};
  AsioError no_literal;
  const asio::ip::address literal = asio::ip::make_address(target.host, no_literal);
  if (!no_literal) return Answer(std::move(waiter), {Tcp::endpoint(literal, 0)}, {});

  Name& name = names_[target.host];
  if (name.job == nullptr) Enqueue(target.host, name);
  if (name.job->running && now - name.job->since > limits_.patience) name.prompt = false;
  name.waiters.push_back(std::move(waiter));
  AnswerOverdue(target.host, name);
  StartWaiting(*name.job->lane);
  Watch();
}

void Resolver::Enqueue(const std::string& host, Name& name) {
  auto job = std::make_shared<Job>();
  job->host = host;
  job->since = Clock::now();
  job->lane = &lanes_.at(name.prompt ? 1 : 0);
  job->lane->waiting.push_back(job);
  name.job = std::move(job);
}

void Resolver::StartWaiting(Lane& lane) {
  while (lane.running < limits_.threads && !lane.waiting.empty()) {
    const std::shared_ptr<Job> job = lane.waiting.front();
    const auto name = names_.find(job->host);
    if (name->second.waiters.empty() && Clock::now() - job->since > limits_.give_up) {
      // Whoever wanted it left while it waited.
      name->second.job = nullptr;
      ForgetIfEmpty(name);
    } else if (!Start(job, lane)) {
      return;
    }
    lane.waiting.pop_front();
  }
}

bool Resolver::Start(const std::shared_ptr<Job>& job, Lane& lane) {
  try {
    base::StartThread("db-resolver", [shared = shared_, job] { Run(shared, job); }).detach();
  } catch (const std::exception&) {
    return false;  // No threads: the next review tries again.
  }
  job->running = true;
  job->since = Clock::now();
  ++lane.running;
  return true;
}

void Resolver::Run(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Job>& job) {
  std::string error;
  Endpoints endpoints;
  try {
    endpoints = shared->look_up({.host = job->host, .port = 0}, error);
  } catch (const std::exception&) {
    error = "out of memory";
  }
  const base::MutexLock lock(shared->mutex);
  job->endpoints = std::move(endpoints);
  job->error = std::move(error);
  job->done = true;
  if (shared->resolver == nullptr) return;
  try {
    asio::post(shared->resolver->context_,
               [resolver = shared->resolver, job] { resolver->Finish(job); });
  } catch (const std::exception&) {
    // The next review finds it.
  }
}

void Resolver::Finish(const std::shared_ptr<Job>& job) {
  const auto found = names_.find(job->host);
  if (found == names_.end() || found->second.job != job) return;
  Name& name = found->second;
  std::string error;
  Endpoints endpoints;
  {
    const base::MutexLock lock(shared_->mutex);
    endpoints = std::move(job->endpoints);
    error = std::move(job->error);
  }
  --job->lane->running;
  name.job = nullptr;
  name.prompt = Clock::now() - job->since <= limits_.patience;
  if (!endpoints.empty()) {
    error.clear();
    Keep(name, endpoints);
  } else if (Usable(name)) {
    endpoints = name.kept;
  }
  for (Waiter& waiter : std::exchange(name.waiters, {})) {
    Answer(std::move(waiter), endpoints, error);
  }
  ForgetIfEmpty(found);
  StartWaiting(*job->lane);
}

void Resolver::FinishAllDone() {
  std::vector<std::shared_ptr<Job>> done;
  {
    const base::MutexLock lock(shared_->mutex);
    for (const auto& [host, name] : names_) {
      if (name.job != nullptr && name.job->done) done.push_back(name.job);
    }
  }
  for (const std::shared_ptr<Job>& job : done) Finish(job);
}

void Resolver::Keep(Name& name, Endpoints endpoints) {
  if (name.kept.empty()) ++kept_count_;
  name.kept = std::move(endpoints);
  name.kept_since = Clock::now();
  if (kept_count_ <= limits_.kept_names) return;
  Name* oldest = &name;
  for (auto& [host, other] : names_) {
    if (!other.kept.empty() && other.kept_since < oldest->kept_since) oldest = &other;
  }
  oldest->kept.clear();
  --kept_count_;
}

bool Resolver::Usable(const Name& name) const {
  return !name.kept.empty() && Clock::now() - name.kept_since <= limits_.keep;
}

void Resolver::AnswerOverdue(const std::string& host, Name& name) {
  const Time now = Clock::now();
  const bool usable = Usable(name);
  std::vector<Waiter> patient;
  for (Waiter& waiter : std::exchange(name.waiters, {})) {
    const Duration waited = now - waiter.since;
    if (usable && (!name.prompt || waited >= limits_.patience)) {
      Answer(std::move(waiter), name.kept, "look up " + host + ": no answer yet");
    } else if (waited >= limits_.give_up) {
      Answer(std::move(waiter), {}, "look up " + host + ": no answer");
    } else {
      patient.push_back(std::move(waiter));
    }
  }
  name.waiters = std::move(patient);
}

void Resolver::Answer(Waiter waiter, Endpoints endpoints, std::string error) {
  for (Tcp::endpoint& endpoint : endpoints) endpoint.port(waiter.port);
  ready_.emplace_back(std::move(waiter.done), std::pair(std::move(endpoints), std::move(error)));
  asio::post(context_, [this] { Deliver(); });
}

void Resolver::Deliver() {
  for (auto& [done, answer] : std::exchange(ready_, {})) {
    done(std::move(answer.first), std::move(answer.second));
  }
}

void Resolver::Watch() {
  if (watching_) return;
  watching_ = true;
  timer_.expires_after(limits_.patience / 4);
  timer_.async_wait([this](const AsioError& stopped) {
    if (stopped) return;
    watching_ = false;
    Review();
  });
}

void Resolver::Review() {
  FinishAllDone();
  for (Lane& lane : lanes_) StartWaiting(lane);
  bool anybody_waits = false;
  for (auto name = names_.begin(); name != names_.end(); name = ForgetIfEmpty(name)) {
    AnswerOverdue(name->first, name->second);
    anybody_waits = anybody_waits || !name->second.waiters.empty();
  }
  if (anybody_waits) Watch();
}

Resolver::Names::iterator Resolver::ForgetIfEmpty(Names::iterator name) {
  const Name& known = name->second;
  if (known.job != nullptr || !known.waiters.empty() || Usable(known)) return std::next(name);
  if (!known.kept.empty()) --kept_count_;
  return names_.erase(name);
}

}  // namespace drumbeat::transport
