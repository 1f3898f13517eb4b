// SPDX-License-Identifier: Apache-2.0
#include "count_reader.h"

#include <cstdint>

#include "drumbeat/error.h"

namespace helloworld {

void PrintCounts(ShardClient& client, const std::stop_token& stop,
                 const std::function<void(std::string)>& print, std::chrono::milliseconds period) {
  auto next = client.Now() + period;
  while (true) {
    client.Pause(std::chrono::ceil<std::chrono::milliseconds>(next - client.Now()));
    if (stop.stop_requested()) return;
    const drumbeat::Result<std::uint64_t> count = client.SyncRead(std::chrono::seconds(3));
    if (count) print("count: " + std::to_string(*count));
    // What a stopped process missed is not made up for.
    do next += period;
    while (next <= client.Now());
  }
}

}  // namespace helloworld
