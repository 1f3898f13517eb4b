// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_transport.h"

#include <algorithm>
#include <exception>
#include <future>
#include <map>
#include <set>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"
#include "transport/listener.h"
#include "transport/tcp_acceptor.h"
#include "transport/tcp_context.h"
#include "transport/tcp_link.h"
#include "transport/tcp_snapshot.h"

namespace drumbeat::transport {
namespace {

/// How long the end of the transport waits for messages that were flushed.
constexpr Duration kDrainLimit = std::chrono::milliseconds(200);
constexpr Duration kDrainCheck = std::chrono::milliseconds(2);
/// How often links that nobody needs any more are looked for.
constexpr Duration kSweepPeriod = std::chrono::minutes(1);
/// Addresses in use at once; a bound for what memberships, and messages of strangers, can name.
constexpr std::size_t kMaxLinks = 16384;

using WorkGuard = asio::executor_work_guard<asio::io_context::executor_type>;

class TcpTransport : public Transport {
 public:
  TcpTransport(const TcpOptions& options, const logging::Logger& logger)
      : context_(options, logger), sweep_timer_(context_.io), drain_timer_(context_.io) {
    context_.heard_from = [this](const std::string& address) {
      if (const std::shared_ptr<TcpLink> link = FindLink(address)) link->Heard();
    };
  }
  ~TcpTransport() override { Stop(); }

  Result<void> Open();

  Result<void> Start(TransportHandler& handler) override;
  void Stop() override;
  void Send(const std::string& address, raft::Envelope message) override;
  void Flush() override;
  void SendSnapshot(const std::string& address, std::unique_ptr<ChunkSource> chunks,
                    std::function<void(Result<void>)> done) override;
  std::string listen_address() const override { return listen_address_; }

 private:
  enum class Phase : std::uint8_t { kNew, kRunning, kStopped };

  Result<void> StartThreads() DRUMBEAT_REQUIRES(lifecycle_mutex_);
  /// Sets the phase to `next` if it is `before`; else returns false.
  bool Advance(Phase before, Phase next);
  std::thread Run(const char* name, asio::io_context& io);
  /// Null when there is none.
  std::shared_ptr<TcpLink> FindLink(const std::string& address);
  /// Null when there are too many.
  std::shared_ptr<TcpLink> LinkTo(const std::string& address);
  std::vector<std::shared_ptr<TcpLink>> AllLinks();
  void Sweep();
  void StartSnapshot(const std::string& address, std::unique_ptr<ChunkSource> chunks,
                     std::function<void(Result<void>)> done);
  void Drain(Time limit, const std::shared_ptr<std::promise<void>>& drained);
  void CloseAll();

  TcpContext context_;
  std::string listen_address_;

  // The I/O thread's, once it runs.
  std::unique_ptr<TcpAcceptor> acceptor_;
  std::set<std::shared_ptr<TcpSnapshot>> snapshots_;
  asio::steady_timer sweep_timer_;
  asio::steady_timer drain_timer_;

  /// Guards `links_`; read for every message, written for every new address.
  std::shared_mutex links_mutex_;
  std::unordered_map<std::string, std::shared_ptr<TcpLink>> links_;
  base::Mutex dirty_mutex_;
  /// Links to which something was sent since the last Flush().
  std::vector<std::shared_ptr<TcpLink>> dirty_ DRUMBEAT_GUARDED_BY(dirty_mutex_);

  /// Held over all of Start() and Stop(). Callbacks may come meanwhile, so nothing else takes it.
  base::Mutex lifecycle_mutex_;
  std::vector<WorkGuard> guards_ DRUMBEAT_GUARDED_BY(lifecycle_mutex_);
  std::vector<std::thread> threads_ DRUMBEAT_GUARDED_BY(lifecycle_mutex_);

  base::Mutex phase_mutex_;
  Phase phase_ DRUMBEAT_GUARDED_BY(phase_mutex_) = Phase::kNew;
};

bool IsLoopback(const Tcp::acceptor& acceptor) {
  AsioError error;
  const Tcp::endpoint endpoint = acceptor.local_endpoint(error);
  return !error && endpoint.address().is_loopback();
}

Result<void> TcpTransport::Open() {
  const TcpOptions& options = context_.options;
  if (options.tls) {
    Result<std::unique_ptr<TlsContext>> tls = TlsContext::Load(*options.tls);
    if (!tls) return std::unexpected(tls.error());
    context_.tls = std::move(*tls);
    if (context_.tls->key_is_exposed()) {
      context_.logger.Warning("others may read the TLS key file " + options.tls->key_file +
                              ": take the rights of group and others away");
    }
  }
  Result<ListenSockets> sockets = options.listen_fd >= 0
                                      ? ListenOn(context_.io, options.listen_fd)
                                      : Listen(context_.io, options.listen_address);
  if (!sockets) return std::unexpected(sockets.error());
  if (!options.tls && !std::ranges::all_of(sockets->acceptors, IsLoopback)) {
    context_.logger.Warning("listening on " + sockets->address +
                            " without TLS: whoever can connect owns the data, so keep this "
                            "network private");
  }
  listen_address_ = sockets->address;
  acceptor_ = std::make_unique<TcpAcceptor>(context_, std::move(sockets->acceptors));
  return {};
}

Result<void> TcpTransport::Start(TransportHandler& handler) {
  base::MutexLock lock(lifecycle_mutex_);
  context_.handler = &handler;
  if (!Advance(Phase::kNew, Phase::kRunning)) {
    return Fail(ErrorCode::kInvalidArgument, "a transport starts only once");
  }
  if (Result<void> started = StartThreads(); !started) {
    Advance(Phase::kRunning, Phase::kStopped);
    return started;
  }
  asio::post(context_.io, [this] {
    acceptor_->Start();
    Sweep();
  });
  return {};
}

bool TcpTransport::Advance(Phase before, Phase next) {
  base::MutexLock lock(phase_mutex_);
  if (phase_ != before) return false;
  phase_ = next;
  return true;
}

Result<void> TcpTransport::StartThreads() {
  const std::pair<const char*, asio::io_context*> contexts[] = {
      {"db-chunks-in", &context_.chunks_in},
      {"db-chunks-out", &context_.chunks_out},
      {"db-io", &context_.io}};
  for (const auto& [name, io] : contexts) guards_.push_back(asio::make_work_guard(*io));
  try {
    for (const auto& [name, io] : contexts) threads_.push_back(Run(name, *io));
  } catch (const std::system_error& error) {
    for (const auto& [name, io] : contexts) io->stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    return Fail(ErrorCode::kStorage, std::string("cannot start a thread: ") + error.what());
  }
  return {};
}

std::thread TcpTransport::Run(const char* name, asio::io_context& io) {
  return base::StartThread(name, [this, &io] {
    while (!io.stopped()) {
      try {
        io.run();
      } catch (const std::exception& error) {
        LogLost(context_, error);
      }
    }
  });
}

void TcpTransport::Stop() {
  base::MutexLock lock(lifecycle_mutex_);
  context_.stopping = true;
  if (Advance(Phase::kNew, Phase::kStopped) || !Advance(Phase::kRunning, Phase::kStopped)) return;
  auto drained = std::make_shared<std::promise<void>>();
  asio::post(context_.io, [this, drained] {
    acceptor_->Stop();
    sweep_timer_.cancel();
    Drain(context_.Now() + kDrainLimit, drained);
  });
  drained->get_future().wait();
  for (asio::io_context* io : {&context_.chunks_in, &context_.chunks_out, &context_.io}) io->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  guards_.clear();
  // Their sources belong to whoever handed them in, who may end them now.
  for (const auto& snapshot : snapshots_) snapshot->ReleaseSource();
  snapshots_.clear();
}

void TcpTransport::Drain(Time limit, const std::shared_ptr<std::promise<void>>& drained) {
  const auto links = AllLinks();
  const bool done = std::ranges::all_of(links, [](const auto& link) { return link->Drained(); });
  if (done || context_.Now() >= limit) {
    CloseAll();
    return drained->set_value();
  }
  drain_timer_.expires_after(kDrainCheck);
  drain_timer_.async_wait([this, limit, drained](const AsioError&) { Drain(limit, drained); });
}

void TcpTransport::CloseAll() {
  for (const auto& link : AllLinks()) link->Close();
  const auto snapshots = snapshots_;
  for (const auto& snapshot : snapshots) {
    snapshot->Stop({ErrorCode::kClosed, "the transport was stopped"});
  }
}

void TcpTransport::Send(const std::string& address, raft::Envelope message) {
  if (context_.stopping) return;
  const std::shared_ptr<TcpLink> link = LinkTo(address);
  if (link == nullptr || !link->Send(std::move(message))) return;
  try {
    base::MutexLock lock(dirty_mutex_);
    dirty_.push_back(link);
  } catch (const std::bad_alloc&) {
    link->Flush();  // it counts on being flushed
  }
}

void TcpTransport::Flush() {
  if (context_.stopping) return;
  std::vector<std::shared_ptr<TcpLink>> dirty;
  {
    base::MutexLock lock(dirty_mutex_);
    dirty.swap(dirty_);
  }
  for (const std::shared_ptr<TcpLink>& link : dirty) link->Flush();
}

std::shared_ptr<TcpLink> TcpTransport::FindLink(const std::string& address) {
  std::shared_lock lock(links_mutex_);
  const auto found = links_.find(address);
  return found == links_.end() ? nullptr : found->second;
}

std::shared_ptr<TcpLink> TcpTransport::LinkTo(const std::string& address) {
  if (std::shared_ptr<TcpLink> link = FindLink(address)) return link;
  std::unique_lock lock(links_mutex_);
  const auto found = links_.find(address);
  if (found != links_.end()) return found->second;
  if (links_.size() >= kMaxLinks) {
    // Strangers may have named most of them.
    std::erase_if(links_, [this](const auto& entry) {
      const std::shared_ptr<TcpLink>& other = entry.second;
      if (!other->Dispensable()) return false;
      asio::post(context_.io, [other] { other->Close(); });
      return true;
    });
  }
  if (links_.size() >= kMaxLinks) return nullptr;
  return links_.emplace(address, std::make_shared<TcpLink>(context_, address)).first->second;
}

std::vector<std::shared_ptr<TcpLink>> TcpTransport::AllLinks() {
  std::shared_lock lock(links_mutex_);
  std::vector<std::shared_ptr<TcpLink>> links;
  for (const auto& [address, link] : links_) links.push_back(link);
  return links;
}

void TcpTransport::Sweep() {
  {
    std::unique_lock lock(links_mutex_);
    // One that is just being used by another thread has an owner beside the map.
    std::erase_if(links_, [](const auto& entry) {
      return entry.second.use_count() == 1 && entry.second->Forgettable();
    });
  }
  sweep_timer_.expires_after(kSweepPeriod);
  sweep_timer_.async_wait([this](const AsioError& stopped) {
    if (!stopped) Sweep();
  });
}

void TcpTransport::SendSnapshot(const std::string& address, std::unique_ptr<ChunkSource> chunks,
                                std::function<void(Result<void>)> done) {
  bool running = false;
  {
    // Under the lock, so that what is posted comes before what Stop() posts.
    base::MutexLock lock(phase_mutex_);
    running = phase_ == Phase::kRunning;
    if (running) {
      auto source = std::make_shared<std::unique_ptr<ChunkSource>>(std::move(chunks));
      asio::post(context_.io, [this, address, source, done]() mutable {
        StartSnapshot(address, std::move(*source), std::move(done));
      });
    }
  }
  if (!running) done(Fail(ErrorCode::kClosed, "the transport does not run"));
}

void TcpTransport::StartSnapshot(const std::string& address, std::unique_ptr<ChunkSource> chunks,
                                 std::function<void(Result<void>)> done) {
  if (context_.stopping) return done(Fail(ErrorCode::kClosed, "the transport was stopped"));
  const std::shared_ptr<TcpLink> link = LinkTo(address);
  if (link == nullptr || snapshots_.size() >= context_.options.max_snapshots_out) {
    return done(Fail(ErrorCode::kBusy, "too many snapshots are being sent"));
  }
  std::shared_ptr<TcpSnapshot> snapshot;
  try {
    snapshot = std::make_shared<TcpSnapshot>(context_, link, address, std::move(chunks), done);
    snapshots_.insert(snapshot);
  } catch (const std::exception& error) {
    return done(Fail(ErrorCode::kTerminated, error.what()));
  }
  snapshot->Start([this](const auto& ended) { snapshots_.erase(ended); });
}

}  // namespace

Result<std::unique_ptr<Transport>> MakeTcpTransport(const TcpOptions& options,
                                                    const logging::Logger& logger) {
  try {
    auto transport = std::make_unique<TcpTransport>(options, logger);
    if (Result<void> opened = transport->Open(); !opened) return std::unexpected(opened.error());
    return transport;
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kStorage, std::string("cannot set up the network: ") + error.what());
  }
}

}  // namespace drumbeat::transport
