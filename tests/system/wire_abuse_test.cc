// SPDX-License-Identifier: Apache-2.0
//
// Strangers at the raft port. The numbers are those of the project's catalogue of faults.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <vector>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/stranger.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

using namespace std::string_view_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kMessages = 100;
constexpr std::uint16_t kChunks = 200;
constexpr std::array<std::uint16_t, 3> kPorts{63001, 63002, 63003};

class WireAbuseTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    cluster_.StartAndAwaitLeader();
    for (const int replica : Cluster::kFounders) {
      cluster_.Say(replica, "before " + std::to_string(replica));
      memory_kib_.push_back(cluster_.replica(replica).ResidentKib());
    }
    leaders_ = Leaders();
  }

  // Nobody noticed anything: the leader is the same, lines go through, memory is as it was.
  void ExpectUndisturbed(const std::string& by, std::size_t more_mib) {
    for (const int replica : Cluster::kFounders) {
      EXPECT_TRUE(cluster_.Say(replica, "after " + by + " at " + std::to_string(replica)));
      EXPECT_LT(cluster_.replica(replica).ResidentKib(),
                memory_kib_[static_cast<std::size_t>(replica - 1)] + more_mib * 1024)
          << "replica " << replica << " after " << by;
    }
    EXPECT_EQ(Leaders(), leaders_) << by << " cost the leader its place";
  }

  std::size_t Leaders() {
    std::size_t leaders = 0;
    for (const int replica : Cluster::kFounders) {
      leaders += cluster_.replica(replica).err().Count("became leader");
    }
    return leaders;
  }

  // Sends `bytes` to each replica, which must close within a second.
  static void ExpectClosed(std::string_view bytes, const std::string& what) {
    for (const std::uint16_t port : kPorts) {
      Stranger stranger(port);
      ASSERT_TRUE(stranger.connected()) << what;
      stranger.Send(bytes);
      EXPECT_TRUE(stranger.AwaitClose(Scaled(seconds(1)))) << what << " at " << port;
    }
  }

  Cluster cluster_;

 private:
  std::vector<std::size_t> memory_kib_;
  std::size_t leaders_ = 0;
};

TEST_F(WireAbuseTest, BadFramesCloseTheConnection) {
  std::mt19937 random(1);
  std::string garbage(1 << 20, '\0');
  for (char& byte : garbage) byte = static_cast<char>(random());
  garbage[0] = 'x';
  ExpectClosed(garbage, "W-01 random bytes");
  ExpectClosed("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "a browser");
  ExpectClosed("SSH-2.0-OpenSSH_9.2\r\n", "a shell");

  std::string bad_header = Frame(kMessages, "x");
  bad_header[12] = static_cast<char>(bad_header[12] ^ 1);
  ExpectClosed(bad_header, "W-02 header checksum");
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{1} << 31, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    ExpectClosed(FrameHead(kMessages, size), "W-03 size " + std::to_string(size));
    ExpectClosed(FrameHead(kChunks, size), "W-03 chunk of size " + std::to_string(size));
  }
  std::string bad_payload = Frame(kMessages, "a payload");
  bad_payload.back() = '!';
  ExpectClosed(bad_payload, "W-05 payload checksum");
  ExpectClosed(Frame(101, "x"), "W-06 method");
  ExpectClosed("\0\0"sv, "W-09 poison");
  for (const std::string_view payload :
       {"\x0a\xff"sv, "\x0a\x05hi"sv, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, "\x0b"sv}) {
    ExpectClosed(Frame(kMessages, payload), "W-10 protobuf");
    ExpectClosed(Frame(kChunks, payload), "W-10 protobuf chunk");
  }
  ExpectUndisturbed("bad frames", 16);
}

TEST_F(WireAbuseTest, WellFormedStrangersAreIgnored) {
  // Batches of no message: empty but for the deployment id, and a version of another world.
  for (const std::string_view payload :
       {"\x10\x01"sv, "\x10\x63\x20\xd2\x01"sv, "\x10\x01\x20\x01"sv}) {
    Stranger stranger(63001);
    for (int i = 0; i < 1000; ++i) stranger.Send(Frame(kMessages, payload));
  }
  // A batch with one message: type, to, from, shard, term as the protocol has them.
  const auto batch = [](std::string_view message) {
    std::string payload("\x0a");
    payload.push_back(static_cast<char>(message.size()));
    payload.append(message).append("\x10\x01\x1a\x0f"sv).append("localhost:63009");
    return Frame(kMessages, payload.append("\x20\xd2\x01"sv));
  };
  Stranger stranger(63001);
  std::string all;
  for (int type = 0; type < 40; ++type) {
    const char kind = static_cast<char>(type);
    // To a shard that is not there, to another replica, from nobody, from itself, from a stranger.
    all += batch(std::string("\x08") + kind + "\x10\x01\x18\x02\x20\x05\x28\x7f");
    all += batch(std::string("\x08") + kind + "\x10\x09\x18\x02\x20\x80\x01\x28\x7f");
    all += batch(std::string("\x08") + kind + "\x10\x01" + std::string("\x18\0", 2) +
                 "\x20\x80\x01\x28\x7f");
    all += batch(std::string("\x08") + kind + "\x10\x01\x18\x01\x20\x80\x01\x28\x7f");
    all += batch(std::string("\x08") + kind + "\x10\x01\x18\x09\x20\x80\x01" +
                 std::string("\x28\0", 2));
  }
  EXPECT_EQ(stranger.Send(all), all.size());
  ExpectUndisturbed("well-formed strangers", 16);
}

TEST_F(WireAbuseTest, ConnectionsThatStallAreEnded) {
  std::vector<std::unique_ptr<Stranger>> strangers;
  const auto connect = [&](std::uint16_t port) -> Stranger& {
    strangers.push_back(std::make_unique<Stranger>(port));
    EXPECT_TRUE(strangers.back()->connected());
    return *strangers.back();
  };
  // W-04: as large as is allowed, then silence; half a head; half a magic and the end.
  for (int i = 0; i < 50; ++i) {
    connect(63001).Send(FrameHead(kMessages, 64U << 20));
    connect(63002).Send(FrameHead(kMessages, 64U << 20).substr(0, 11));
    Stranger& half_closed = connect(63003);
    half_closed.Send("\xae");
    half_closed.EndSending();
  }
  // W-07: a byte at a time does not stretch the limit.
  const std::string head = FrameHead(kMessages, 64U << 20);
  const auto start = Clock::now();
  Stranger& slow = connect(63001);
  bool closed = false;
  for (std::size_t i = 0; i < head.size() && !closed; ++i) {
    slow.Send(head.substr(i, 1));
    closed = slow.AwaitClose(milliseconds(500));
  }
  EXPECT_TRUE(closed) << "a head may take " << Seconds(Clock::now() - start) << " s";
  ExpectUndisturbed("connections that stall", 16);
  for (const auto& stranger : strangers) EXPECT_TRUE(stranger->AwaitClose(Scaled(seconds(10))));
}

TEST_F(WireAbuseTest, ManyConnectionsLeaveRoomForPeers) {
  // W-08. More than the transport takes, from one process.
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const std::size_t wanted = std::min<std::size_t>(2000, files.rlim_cur - 200);
  std::vector<std::unique_ptr<Stranger>> strangers;
  for (std::size_t i = 0; i < wanted; ++i) {
    strangers.push_back(std::make_unique<Stranger>(63001));
    if (!strangers.back()->connected()) break;
  }
  // 16 KiB for each of at most 1,024, and slack.
  ExpectUndisturbed("many connections", 24);
  // A peer that comes back is let in.
  cluster_.Kill(3);
  cluster_.Start(3);
  EXPECT_TRUE(cluster_.Say(3, "back among strangers"));
}

}  // namespace
}  // namespace drumbeat::system
