// SPDX-License-Identifier: Apache-2.0
#include "transport/dialer.h"

#include <exception>
#include <new>
#include <utility>

namespace drumbeat::transport {
namespace {

constexpr int kKeepaliveSeconds = 10;
/// As long as a peer may stop taking bytes. Also gets a connection out of the kernel's ever longer
/// pauses between retries after a network was down.
constexpr int kUnconfirmedMilliseconds = 5000;

}  // namespace

std::shared_ptr<Dialer> Dialer::Start(TcpContext& context, const HostPort& target, Done done) {
  auto dialer = std::make_shared<Dialer>(context, target, std::move(done));
  try {
    dialer->Watch(dialer->connect_limit_, "look up " + target.host + ": no answer in 5 s");
    context.resolver.Resolve(
        target, [dialer](std::vector<Tcp::endpoint> endpoints, std::string error) {
          dialer->Try([&] { dialer->OnResolved(std::move(endpoints), std::move(error)); });
        });
  } catch (...) {
    dialer->Cancel();
    throw;
  }
  return dialer;
}

Dialer::Dialer(TcpContext& context, HostPort target, Done done)
    : context_(context),
      target_(std::move(target)),
      done_(std::move(done)),
      connect_limit_(context.Now() + kConnectLimit),
      socket_(context.io),
      timer_(context.io) {}

void Dialer::Cancel() {
  done_ = nullptr;
  timer_.cancel();
  AsioError ignored;
  socket_.close(ignored);
  if (connection_ != nullptr) connection_->Reset();
}

template <class Step>
void Dialer::Try(Step step) {
  try {
    step();
  } catch (const std::exception&) {
    if (!done_) throw;  // Not by the dial, but by whom it was for.
    Fail("out of memory");
  }
}

void Dialer::OnResolved(std::vector<Tcp::endpoint> endpoints, std::string error) {
  if (!done_) return;
  if (endpoints.empty()) return Fail(std::move(error));
  endpoints_ = std::move(endpoints);
  doubt_ = std::move(error);
  TryNext();
}

void Dialer::TryNext() {
  if (next_ == endpoints_.size()) {
    return Fail(doubt_.empty() ? last_failure_ : last_failure_ + " (" + doubt_ + ")");
  }
  const Tcp::endpoint& endpoint = endpoints_[next_++];
  AsioError error;
  socket_.close(error);
  socket_.open(endpoint.protocol(), error);
  if (error) return OnConnected(error);
  // Each address gets an equal share of what time is left.
  const Time now = context_.Now();
  const auto shares = static_cast<Duration::rep>(endpoints_.size() - next_ + 1);
  timer_.expires_at(now + (connect_limit_ - now) / shares);
  timer_.async_wait([self = shared_from_this(), attempt = next_](const AsioError& stopped) {
    AsioError ignored;
    if (!stopped && attempt == self->next_) self->socket_.cancel(ignored);
  });
  socket_.async_connect(endpoint, [self = shared_from_this()](const AsioError& result) {
    self->Try([&] { self->OnConnected(result); });
  });
}

void Dialer::OnConnected(const AsioError& error) {
  if (!done_) return;
  const std::string where = "connect to " + ToText(endpoints_[next_ - 1]);
  timer_.cancel();
  if (error) {
    last_failure_ =
        where + ": " + (error == asio::error::operation_aborted ? "no answer" : error.message());
    return TryNext();
  }
  AsioError ignored;
  if (socket_.local_endpoint(ignored) == socket_.remote_endpoint(ignored)) {
    // A port of our own choice may by chance be the one that we dial: nobody else is there.
    last_failure_ = where + ": Connection refused";
    return TryNext();
  }
  try {
    connection_ = std::make_shared<Connection>(std::move(socket_),
                                               context_.tls ? &context_.tls->dialing() : nullptr);
  } catch (const std::bad_alloc&) {
    return Fail(where + ": out of memory");
  }
  connection_->SetOptions(kKeepaliveSeconds);
  connection_->LimitUnconfirmed(kUnconfirmedMilliseconds);
  if (!connection_->secure()) return Finish(connection_, {});
  Handshake();
}

void Dialer::Handshake() {
  if (!ExpectHost(connection_->ssl(), target_.host)) return Fail("TLS: cannot check the host name");
  Watch(context_.Now() + kHandshakeLimit, "TLS handshake: no answer in 10 s");
  connection_->Handshake(
      [self = shared_from_this(), connection = connection_](const AsioError& error) {
        self->Try([&] {
          if (!error) return self->Finish(connection, {});
          self->Fail(HandshakeFailure(connection->ssl(), error));
        });
      });
}

void Dialer::Watch(Time limit, std::string reason) {
  timer_.expires_at(limit);
  timer_.async_wait(
      [self = shared_from_this(), reason = std::move(reason)](const AsioError& stopped) {
        if (!stopped) self->Fail(reason);
      });
}

void Dialer::Finish(std::shared_ptr<Connection> connection, std::string reason) {
  Done done = std::exchange(done_, nullptr);
  if (!done) return;
  timer_.cancel();
  if (connection == nullptr) {
    AsioError ignored;
    socket_.close(ignored);
    if (connection_ != nullptr) connection_->Reset();
  }
  connection_.reset();
  done(std::move(connection), std::move(reason));
}

}  // namespace drumbeat::transport
