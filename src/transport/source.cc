// SPDX-License-Identifier: Apache-2.0
#include "transport/source.h"

#include <algorithm>

namespace drumbeat::transport {

Source SourceOf(const asio::ip::address& address) {
  if (address.is_v4() || address.is_loopback()) return {.machine = address, .network = address};
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    const asio::ip::address_v4 v4 = asio::ip::make_address_v4(asio::ip::v4_mapped, v6);
    return {.machine = v4, .network = v4};
  }
  asio::ip::address_v6::bytes_type prefix = v6.to_bytes();
  std::fill(prefix.begin() + prefix.size() / 2, prefix.end(), 0);
  return {.machine = v6, .network = asio::ip::address_v6(prefix, v6.scope_id())};
}

}  // namespace drumbeat::transport
