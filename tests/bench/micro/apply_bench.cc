// SPDX-License-Identifier: Apache-2.0
#include <any>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "bench/counter_machine.h"
#include "bench/system.h"
#include "codec/command.h"
#include "state_machine/runtime.h"

// What it costs to apply an entry and to look something up, with a state machine that does next to
// nothing: nanoseconds and allocations for each.

namespace {
std::atomic<std::uint64_t> allocations{0};
}

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace drumbeat::bench {
namespace {

using state_machine::AppliedEntry;
using state_machine::Runtime;
using state_machine::RuntimeOptions;

constexpr std::size_t kPage = 512;
constexpr std::size_t kPages = 2000;
constexpr std::uint64_t kClients = 256;

raft::Entry Entry(std::uint64_t client, std::uint64_t series, const std::string& payload) {
  raft::Entry entry;
  entry.term = Term(2);
  entry.key = 1;
  entry.client_id = client;
  entry.series_id = series;
  codec::EncodeCommand(entry, payload, Compression::kNone);
  return entry;
}

void Apply(Runtime& runtime, std::vector<raft::Entry>& page, std::vector<AppliedEntry>& out) {
  Index next = runtime.applied() + 1;
  for (raft::Entry& entry : page) {
    entry.index = next;
    ++next;
  }
  out.clear();
  if (!runtime.Apply(page, out)) Die("apply");
}

template <class Prepare>
void MeasureApply(const char* name, Runtime& runtime, std::vector<raft::Entry>& page,
                  Prepare prepare) {
  std::vector<AppliedEntry> out;
  std::uint64_t ns = 0;
  std::uint64_t made = 0;
  for (std::size_t i = 0; i < kPages; ++i) {
    prepare(i);
    const std::uint64_t made_before = allocations.load();
    const std::uint64_t before = NowNs();
    Apply(runtime, page, out);
    ns += NowNs() - before;
    made += allocations.load() - made_before;
  }
  constexpr double kEntries = kPage * kPages;
  std::printf("| %s | %.1f | %.3f |\n", name, static_cast<double>(ns) / kEntries,
              static_cast<double>(made) / kEntries);
}

void MeasureLookups(Runtime& runtime, std::size_t threads) {
  constexpr std::uint64_t kLookups = 2'000'000;
  const std::uint64_t made_before = allocations.load();
  const std::uint64_t before = NowNs();
  std::vector<std::thread> readers;
  for (std::size_t i = 0; i < threads; ++i) {
    readers.emplace_back([&] {
      for (std::uint64_t k = 0; k < kLookups; ++k) {
        if (!runtime.Lookup(std::any())) Die("look up");
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  std::printf("| Lookup, %zu threads, each | %.1f | %.3f |\n", threads,
              static_cast<double>(NowNs() - before) / kLookups,
              static_cast<double>(allocations.load() - made_before) / kLookups);
}

int Main() {
  const auto runtime = Runtime::Make(RuntimeOptions{}, std::make_unique<CounterMachine>());
  std::printf("| | ns | allocations |\n|---|---|---|\n");
  std::vector<raft::Entry> page(kPage, Entry(99, raft::kNoOpSeries, std::string(128, 'x')));
  MeasureApply("NoOP session, 128 B", *runtime, page, [](std::size_t) {});
  std::vector<raft::Entry> registers;
  for (std::uint64_t i = 0; i < kClients; ++i) {
    registers.push_back(Entry(0x9e3779b97f4a7c15 * (i + 1), raft::kRegisterSeries, ""));
  }
  std::vector<AppliedEntry> out;
  Apply(*runtime, registers, out);
  for (std::size_t i = 0; i < kPage; ++i) page[i].client_id = registers[i % kClients].client_id;
  MeasureApply("registered session, 128 B", *runtime, page, [&](std::size_t round) {
    for (std::size_t i = 0; i < kPage; ++i) {
      page[i].series_id = 1 + round * (kPage / kClients) + i / kClients;
      page[i].responded_to = page[i].series_id - 1;
    }
  });
  MeasureApply("registered session, retry", *runtime, page, [](std::size_t) {});
  std::vector<raft::Entry> empty(kPage);
  for (raft::Entry& entry : empty) entry.term = Term(2);
  MeasureApply("leader's first entry", *runtime, empty, [](std::size_t) {});
  MeasureLookups(*runtime, 1);
  MeasureLookups(*runtime, 2);
  return 0;
}

}  // namespace
}  // namespace drumbeat::bench

int main() { return drumbeat::bench::Main(); }
