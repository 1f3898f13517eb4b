// SPDX-License-Identifier: Apache-2.0
#include "bench/floor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "bench/floor_log.h"
#include "bench/floor_syncer.h"
#include "bench/histogram.h"
#include "bench/mix.h"
#include "bench/system.h"

namespace drumbeat::bench {

namespace {

constexpr std::size_t kFollowers = 2;
constexpr std::size_t kMaxBatch = 4096;
constexpr std::size_t kReceiveBytes = 16u << 20;

struct FrameHead {
  std::uint64_t last_index;
  std::uint64_t body_bytes;
  std::uint64_t checksum;
};
/// Length (4 bytes) and index (8 bytes).
constexpr std::size_t kEntryHeadBytes = 12;

/// The whole frames at the front of `bytes`: their length, and the last entry's index.
struct Frames {
  std::size_t bytes = 0;
  std::uint64_t last_index = 0;
};
Frames WholeFrames(std::string_view bytes) {
  Frames whole;
  while (bytes.size() - whole.bytes >= sizeof(FrameHead)) {
    FrameHead head;
    std::memcpy(&head, bytes.data() + whole.bytes, sizeof head);
    const std::size_t begin = whole.bytes + sizeof head;
    if (bytes.size() - begin < head.body_bytes) break;
    if (Checksum(bytes.substr(begin, head.body_bytes)) != head.checksum) {
      std::fputs("drumbeat_bench: a frame of the floor is damaged\n", stderr);
      _exit(1);
    }
    whole = {.bytes = begin + head.body_bytes, .last_index = head.last_index};
  }
  return whole;
}

/// Takes all that the socket has, writes it, syncs once, acknowledges once; until the end.
[[noreturn]] void RunFollower(int socket, const std::filesystem::path& path) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  FloorLog log(path);
  std::vector<char> buffer(kReceiveBytes);
  std::memset(buffer.data(), 1, buffer.size());  // page faults now
  const char ready = 1;
  WriteAll(socket, &ready, 1);
  std::size_t have = 0;
  for (;;) {
    const ssize_t got = read(socket, buffer.data() + have, buffer.size() - have);
    if (got <= 0) _exit(0);
    have += static_cast<std::size_t>(got);
    const Frames whole = WholeFrames({buffer.data(), have});
    if (whole.bytes == 0) continue;
    log.Append({buffer.data(), whole.bytes});
    std::memmove(buffer.data(), buffer.data() + whole.bytes, have - whole.bytes);
    have -= whole.bytes;
    log.Sync();
    char reply[sizeof whole.last_index];
    std::memcpy(reply, &whole.last_index, sizeof reply);
    if (!WriteAll(socket, reply, sizeof reply)) _exit(0);
  }
}

/// One follower as the leader sees it.
class Follower {
 public:
  explicit Follower(const std::filesystem::path& path) {
    Connection connection = ConnectOverLoopback();
    pid_ = fork();
    if (pid_ < 0) Die("fork");
    if (pid_ == 0) {
      connection.near = Fd();
      RunFollower(connection.far.get(), path);
    }
    socket_ = std::move(connection.near);
  }
  ~Follower() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  void WaitUntilReady() {
    char ready = 0;
    if (!ReadAll(socket_.get(), &ready, 1)) Die("start a follower");
    fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
  }
  void Send(std::string_view frame) {
    if (!WriteAll(socket_.get(), frame.data(), frame.size())) Die("send to a follower");
  }
  /// Takes the acknowledgements that have arrived.
  void Receive() {
    for (;;) {
      const ssize_t got = read(socket_.get(), reply_ + have_, sizeof reply_ - have_);
      if (got <= 0) return;
      have_ += static_cast<std::size_t>(got);
      if (have_ < sizeof reply_) continue;
      std::memcpy(&acknowledged_, reply_, sizeof reply_);
      have_ = 0;
    }
  }
  std::uint64_t acknowledged() const { return acknowledged_; }
  int socket() const { return socket_.get(); }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  Fd socket_;
  std::uint64_t acknowledged_ = 0;
  char reply_[sizeof(std::uint64_t)] = {};
  std::size_t have_ = 0;
};

/// The leader: makes the load, sends it, counts what is committed.
class Leader {
 public:
  Leader(const std::filesystem::path& folder, const Cell& cell, Durability durability)
      : cell_(cell),
        payload_(cell.payload_bytes, 'q'),
        followers_{Follower(FileOf(folder, durability, 1)),
                   Follower(FileOf(folder, durability, 2))},
        syncer_(FileOf(folder, durability, 0)) {
    for (Follower& follower : followers_) follower.WaitUntilReady();
  }

  Measurement Run(double seconds) {
    const std::uint64_t cpu_before = Sum(CpuNs);
    const std::uint64_t switches_before = Sum(ContextSwitches);
    const std::uint64_t begin = NowNs();
    const std::uint64_t end = begin + static_cast<std::uint64_t>(seconds * 1e9);
    for (;;) {
      const std::uint64_t now = NowNs();
      if (now < end) Propose(now);
      if (committed_ + 1 == next_) break;
      WaitForNews();
      Commit();
    }
    const double elapsed = static_cast<double>(NowNs() - begin) / 1e9;
    const auto operations = static_cast<double>(latency_.count());
    return {.per_second = operations / elapsed,
            .p50_us = static_cast<double>(latency_.Percentile(50)) / 1e3,
            .p99_us = static_cast<double>(latency_.Percentile(99)) / 1e3,
            .p999_us = static_cast<double>(latency_.Percentile(99.9)) / 1e3,
            .max_us = static_cast<double>(latency_.max()) / 1e3,
            .cpu_us = static_cast<double>(Sum(CpuNs) - cpu_before) / 1e3 / operations,
            .switches = static_cast<double>(Sum(ContextSwitches) - switches_before) / operations};
  }

 private:
  struct Batch {
    std::uint64_t last_index;
    std::uint64_t sent_ns;
    std::uint64_t entries;
  };

  static std::filesystem::path FileOf(const std::filesystem::path& folder, Durability durability,
                                      int process) {
    if (durability == Durability::kMemory) return {};
    return folder / ("floor." + std::to_string(process));
  }

  /// Over the three processes.
  std::uint64_t Sum(std::uint64_t (*figure)(pid_t)) const {
    return figure(0) + figure(followers_[0].pid()) + figure(followers_[1].pid());
  }

  /// Fills the window up with one batch.
  void Propose(std::uint64_t now) {
    const std::size_t room = cell_.in_flight - (next_ - 1 - committed_);
    if (room == 0) return;
    const std::size_t entries = std::min(room, kMaxBatch);
    frame_.resize(sizeof(FrameHead));
    for (std::size_t i = 0; i < entries; ++i) {
      char head[kEntryHeadBytes];
      const auto bytes = static_cast<std::uint32_t>(payload_.size());
      std::memcpy(head, &bytes, sizeof bytes);
      std::memcpy(head + sizeof bytes, &next_, sizeof next_);
      ++next_;
      frame_.append(head, sizeof head).append(payload_);
    }
    const std::string_view body = std::string_view(frame_).substr(sizeof(FrameHead));
    const FrameHead head{
        .last_index = next_ - 1, .body_bytes = body.size(), .checksum = Checksum(body)};
    std::memcpy(frame_.data(), &head, sizeof head);
    for (Follower& follower : followers_) follower.Send(frame_);
    syncer_.Append(frame_, next_ - 1);
    batches_.push_back({.last_index = next_ - 1, .sent_ns = now, .entries = entries});
  }

  void WaitForNews() {
    std::array<pollfd, kFollowers + 1> news{};
    for (std::size_t i = 0; i < kFollowers; ++i) {
      news[i] = {.fd = followers_[i].socket(), .events = POLLIN, .revents = 0};
    }
    news[kFollowers] = {.fd = syncer_.event(), .events = POLLIN, .revents = 0};
    if (poll(news.data(), news.size(), 10'000) <= 0) Die("wait for the followers");
    for (std::size_t i = 0; i < kFollowers; ++i) {
      if (news[i].revents != 0) followers_[i].Receive();
    }
    if (news[kFollowers].revents != 0) syncer_.ClearEvent();
  }

  void Commit() {
    std::array<std::uint64_t, kFollowers + 1> durable = {
        syncer_.durable(), followers_[0].acknowledged(), followers_[1].acknowledged()};
    std::sort(durable.begin(), durable.end());
    committed_ = durable[kFollowers / 2];
    const std::uint64_t now = NowNs();
    while (!batches_.empty() && batches_.front().last_index <= committed_) {
      latency_.Add(now - batches_.front().sent_ns, batches_.front().entries);
      batches_.pop_front();
    }
  }

  const Cell cell_;
  const std::string payload_;
  std::array<Follower, kFollowers> followers_;
  /// After the followers: it has a thread, and they fork.
  FloorSyncer syncer_;
  std::string frame_;
  std::deque<Batch> batches_;
  std::uint64_t next_ = 1;
  std::uint64_t committed_ = 0;
  Histogram latency_;
};

}  // namespace

Measurement MeasureFloor(const std::filesystem::path& folder, const Cell& cell,
                         Durability durability, double seconds) {
  return Leader(folder, cell, durability).Run(seconds);
}

}  // namespace drumbeat::bench
