// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <unistd.h>

#include "transport/messages.h"
#include "transport/recording_handler.h"
#include "transport/tcp_transport.h"

// Names whose addresses change, and machines that lack a family of addresses.
namespace {

std::mutex mutex;
/// What these tests' names mean, in digits.
std::map<std::string, std::vector<std::string>>& Names() {
  static std::map<std::string, std::vector<std::string>> names;
  return names;
}
/// Whether looking up `hang*.test` takes until this is false again.
bool hanging = false;
std::condition_variable hanging_over;
/// The family that this machine does not have.
std::atomic<int> missing_family{AF_UNSPEC};

void Means(const std::string& name, const std::vector<std::string>& addresses) {
  const std::lock_guard lock(mutex);
  Names()[name] = addresses;
}

}  // namespace

// These stand before the C library's in this program.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  std::vector<std::string> addresses;
  {
    std::unique_lock lock(mutex);
    const std::string name = node != nullptr ? node : "";
    if (name.starts_with("hang")) hanging_over.wait(lock, [] { return !hanging; });
    const auto known = Names().find(name);
    if (known != Names().end()) addresses = known->second;
  }
  if (addresses.empty()) return real(node, service, hints, found);
  *found = nullptr;
  addrinfo** end = found;
  for (const std::string& address : addresses) {
    const int status = real(address.c_str(), service, hints, end);
    if (status != 0) return status;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return 0;
}

extern "C" int socket(int family, int type, int protocol) {
  if (family == missing_family) {
    errno = EAFNOSUPPORT;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_socket, family, type, protocol));
}

namespace drumbeat::transport {
namespace {

std::string PortOf(const TestHost& host) {
  return host.address().substr(host.address().rfind(':') + 1);
}

TcpOptions ListensOn(const std::string& address) {
  return TcpOptions{.raft_address = "test-host:1", .listen_address = address, .tls = {}};
}

/// Sends until it arrives: what is lost with a connection is not sent again by this layer.
bool Reaches(TestHost& from, const std::string& to, TestHost& at) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (at.handler.Get().messages.empty()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    from.SendNow(to, HeartbeatOf(128, 7));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

// M-13.
TEST(NamesTest, AMemberWhoseNameMovesIsFoundAtItsNewAddress) {
  Means("moving.test", {"127.0.0.2"});
  TestHost sender;
  ASSERT_TRUE(sender.Start());
  std::string port;
  {
    TestHost old(ListensOn("127.0.0.2:0"));
    ASSERT_FALSE(old.error) << old.error->text();
    ASSERT_TRUE(old.Start());
    port = PortOf(old);
    EXPECT_TRUE(Reaches(sender, "moving.test:" + port, old));
  }
  Means("moving.test", {"127.0.0.3"});
  TestHost moved(ListensOn("127.0.0.3:" + port));
  ASSERT_FALSE(moved.error) << moved.error->text();
  ASSERT_TRUE(moved.Start());
  EXPECT_TRUE(Reaches(sender, "moving.test:" + port, moved));
}

// N-13.
TEST(NamesTest, WithoutAFamilyOfAddressesTheOtherOneServes) {
  Means("both.test", {"::1", "127.0.0.1"});
  for (const int family : {AF_INET6, AF_INET}) {
    missing_family = family;
    {
      TestHost receiver(ListensOn("both.test:0"));
      if (family == AF_INET && receiver.error) {
        missing_family = AF_UNSPEC;
        GTEST_SKIP() << "this machine has no IPv6: " << receiver.error->text();
      }
      EXPECT_FALSE(receiver.error) << receiver.error->text();
      TestHost sender(ListensOn("both.test:0"));
      if (!receiver.error && receiver.Start() && sender.Start()) {
        EXPECT_TRUE(Reaches(sender, "both.test:" + PortOf(receiver), receiver)) << family;
      } else {
        ADD_FAILURE() << "they do not start without family " << family;
      }
    }
    missing_family = AF_UNSPEC;
  }
}

/// While it lives, look-ups of `hang*.test` do not end.
struct Hanging {
  Hanging() { Set(true); }
  ~Hanging() { Set(false); }
  static void Set(bool value) {
    const std::lock_guard lock(mutex);
    hanging = value;
    hanging_over.notify_all();
  }
};

// N-12.
TEST(NamesTest, LookUpsThatHangHoldUpNobodyElse) {
  Means("known.test", {"127.0.0.1"});
  Means("new.test", {"127.0.0.1"});
  TestHost known(ListensOn("127.0.0.1:0"));
  TestHost unknown(ListensOn("127.0.0.1:0"));
  TestHost sender;
  ASSERT_TRUE(known.Start());
  ASSERT_TRUE(unknown.Start());
  ASSERT_TRUE(sender.Start());
  const std::string to_known = "known.test:" + PortOf(known);
  ASSERT_TRUE(Reaches(sender, to_known, known));
  const Hanging hang;
  for (int i = 0; i < 10; ++i) {
    sender.SendNow("hang" + std::to_string(i) + ".test:1", HeartbeatOf(128, 7));
  }
  // Who is connected hears heartbeats, who is not is found.
  const std::size_t heard = known.handler.Get().messages.size();
  for (std::size_t i = 1; i <= 20; ++i) {
    sender.SendNow(to_known, HeartbeatOf(128, 7));
    ASSERT_TRUE(known.handler.WaitForMessages(heard + i));
  }
  EXPECT_TRUE(Reaches(sender, "new.test:" + PortOf(unknown), unknown));
  // Nor do they hold up the end.
  const auto begin = std::chrono::steady_clock::now();
  sender.transport->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

// The first address is tried, and found dead, before the second one is.
TEST(NamesTest, EveryAddressOfANameIsTried) {
  Means("half.test", {"127.0.0.4", "127.0.0.1"});
  TestHost receiver(ListensOn("127.0.0.1:0"));
  TestHost sender;
  ASSERT_TRUE(receiver.Start());
  ASSERT_TRUE(sender.Start());
  EXPECT_TRUE(Reaches(sender, "half.test:" + PortOf(receiver), receiver));
}

}  // namespace
}  // namespace drumbeat::transport
